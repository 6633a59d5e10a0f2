import { parseArgs } from 'node:util'
import { applyBench } from './apply.bench.ts'
import { buildBench } from './build.bench.ts'
import { type Context, makeContext } from './context.ts'
import { firstPreviewBench } from './first-preview.bench.ts'
import { programsOfKnownEnvironment } from './known-environment.bench.ts'
import { memoryBench } from './memory.bench.ts'
import { networkBench } from './network.bench.ts'
import { packageBench } from './package.bench.ts'
import { describeMachine, toTable, writeResult } from './report.ts'
import { requestsBench } from './requests.bench.ts'
import type { Row } from './row.ts'
import { sessionBench } from './session.bench.ts'
import { streamBench } from './stream.bench.ts'
import { syncBench } from './sync.bench.ts'

const BENCHES: Record<string, (context: Context) => Promise<Row[]>> = {
  build: buildBench,
  'first-preview': firstPreviewBench,
  requests: requestsBench,
  apply: applyBench,
  session: sessionBench,
  package: packageBench,
  memory: memoryBench,
  stream: streamBench,
  sync: syncBench,
  network: networkBench,
}

const USAGE = `npm run bench -- [--runs N] [--only NAME,NAME]
Measures previewd beside plain tools, by turns, on this machine. Names: ${Object.keys(BENCHES).join(', ')}.`

const say = (line: string) => console.error(`· ${line}`)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '7' }, only: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help) return console.log(USAGE)
  const runs = Number(values.runs)
  const names = values.only?.split(',') ?? Object.keys(BENCHES)
  if (!Number.isInteger(runs) || runs < 1 || names.some((name) => BENCHES[name] === undefined))
    throw new Error(USAGE)

  const machine = describeMachine()
  await using context = await makeContext(runs, say)
  const rows: Row[] = []
  for (const name of names) {
    say(`${name}, ${runs} runs by turns after one to warm up`)
    const measured = (await BENCHES[name]?.(context)) ?? []
    say(`\n${toTable(measured)}`)
    rows.push(...measured)
  }
  say('programs started for the first preview of a project with known dependencies')
  const known = await programsOfKnownEnvironment(context)
  const file = writeResult({ at: new Date().toISOString(), machine, runs, rows, knownEnvironment: known })

  console.log(`\n${JSON.stringify(machine)}\n\n${toTable(rows)}`)
  console.log(
    `\ninstall of a known environment: ${known.installers} installers started (goal: none, ${known.installers === 0 ? 'met' : 'MISSED'}); programs: ${known.programs.join(', ') || 'none'}`,
  )
  console.log(`\nWritten to ${file}`)
}

// Ends what was started too: their handlers listen to the exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

await main()
