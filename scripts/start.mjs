import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { projectRoot, show } from './setup/command.mjs'
import { ensureNode } from './setup/node.mjs'
import { ensurePackages, withRegistry } from './setup/packages.mjs'
import { fail, SetupProblem } from './setup/problem.mjs'
import { asRoot, rootCommand } from './setup/root.mjs'
import { ensureBubblewrap } from './setup/sandbox.mjs'
import { elapsed, step } from './setup/steps.mjs'

const MAIN = 'packages/previewd/src/main.ts'
const START_TIMEOUT_MS = 30_000

const host = process.env.PREVIEWD_HOST ?? '127.0.0.1'
const port = Number(process.env.PREVIEWD_PORT ?? 4400)
// A server that listens everywhere is called by a name that it knows.
const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host
const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}`

/** Aborted by the first signal. */
const stopping = new AbortController()

async function main() {
  await ensurePackages()
  const node = ensureNode()
  await ensureBubblewrap()
  await refuseTakenPort()
  const prefix = await asRoot(
    'The server, which gives each sandbox a user of its own,',
    'The server needs root to give each sandbox a user of its own: run "sudo npm start".',
  )
  if (prefix.length > 0)
    console.error('Running the server through sudo: it gives each sandbox a user of its own.')
  const settings = { PREVIEWD_LOG_LEVEL: 'warn', ...process.env }
  const environment = prefix.length > 0 ? await withRegistry(settings) : settings
  const server = startServer(node, prefix, environment)
  await step('Starting the server', () => untilAnswering(server))
  await refuseBrokenSandbox()
  await pushWelcome(node)
}

/**
 * The server gets a process group of its own, so that a Ctrl-C reaches this script alone, which passes it on once: a
 * second one would end the server at once. sudo needs the terminal's group, and gets a Ctrl-C from there.
 */
function startServer(node, prefix, environment) {
  const command = rootCommand(prefix, environment, [node, MAIN, 'serve'])
  const server = spawn(command[0], command.slice(1), {
    cwd: projectRoot,
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: prefix.length === 0,
  })
  const pass = (signal) => {
    if (server.exitCode !== null || server.signalCode !== null) return
    // A user may not signal a process that sudo made root's.
    if (prefix.length > 0) spawnSync(prefix[0], ['-n', 'kill', '-s', signal.slice(3), String(server.pid)])
    else server.kill(signal)
  }
  const hasOwnCtrlC = prefix.length > 0 && process.stdin.isTTY
  const stop = (signal) => {
    stopping.abort()
    if (signal !== 'SIGINT' || !hasOwnCtrlC) pass(signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  process.on('exit', () => pass('SIGTERM'))
  server.once('close', (code) => process.exit(code ?? 1))
  return server
}

async function untilAnswering(server) {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${url}/livez`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new SetupProblem('The server did not start: what it said stands above.')
}

/** `/readyz` says in sentences what project code cannot run without. */
async function refuseBrokenSandbox() {
  const answer = await fetch(`${url}/readyz`)
  if (answer.ok) return
  const { detail, sandbox } = await answer.json()
  throw new SetupProblem(['The sandbox does not work here:', ...(sandbox?.problems ?? [detail])].join('\n'))
}

async function pushWelcome(node) {
  const since = Date.now()
  const push = [MAIN, 'push', 'examples/welcome', '--project', 'welcome', '--replace', '--wait', '--url', url]
  const code = await show(node, push, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (stopping.signal.aborted) return
  if (code === 0) console.error(`✓ The sample app is installed, built and served (${elapsed(since)})`)
  else
    console.error(
      '✗ The sample app did not build; the server runs all the same. See "npx previewd status welcome".',
    )
  const answer = await fetch(`${url}/v1/projects/welcome/status`, { headers: authorization() }).catch(
    () => undefined,
  )
  const preview = answer?.ok ? (await answer.json()).urls.preview : `${url}/preview/welcome/`
  console.log(`\n  Preview    ${preview}\n  Dashboard  ${url}/\n\n  Ctrl-C stops the server.\n`)
}

function authorization() {
  const key = process.env.PREVIEWD_API_KEY
  return key ? { authorization: `Bearer ${key}` } : {}
}

async function refuseTakenPort() {
  const taken = await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error) => resolve(error.code === 'EADDRINUSE'))
    probe.listen(port, host, () => probe.close(() => resolve(false)))
  })
  if (taken) {
    throw new SetupProblem(
      `Port ${port} is taken: stop what listens there, or choose another with "PREVIEWD_PORT=${port + 100} npm start".`,
    )
  }
}

main().catch((error) => {
  // What a stop interrupted is no failure; the script ends with the server.
  if (!stopping.signal.aborted) fail(error)
})
