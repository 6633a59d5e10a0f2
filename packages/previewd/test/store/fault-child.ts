import { writeSync } from 'node:fs'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { PROJECT, STEPS, stateAfter, takeStep } from './fault-script.ts'
import { LIMITS, MIRROR } from './limits.ts'

/*
 * Takes the steps of the script and says `done N` for each that was acknowledged, `refused N CODE` for each that was
 * not (it tries those once more), and `wrong N` where a refused step changed something.
 */
const [dataDir = '', mirror] = process.argv.slice(2)

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

async function readAll(store: Store): Promise<unknown> {
  if (store.projects.get(PROJECT) === undefined) return undefined
  await using snapshot = await store.files.snapshot(PROJECT)
  const all: Record<string, string> = {}
  for (const path of snapshot.files.keys()) all[path] = (await snapshot.read(path)).toString()
  return all
}

async function tryStep(store: Store, index: number): Promise<boolean> {
  try {
    await takeStep(store, dataDir, index)
    say(`done ${index}`)
    return true
  } catch (error) {
    say(`refused ${index} ${(error as { code?: string }).code}`)
    return false
  }
}

const sorted = (state: object | undefined) => JSON.stringify(state && Object.entries(state).sort())

const store = await openStore({ dataDir, limits: LIMITS, mirror: mirror === 'mirror' && MIRROR })
for (let index = 0; index < STEPS.length; index++) {
  if (await tryStep(store, index)) continue
  const state = sorted((await readAll(store)) as object | undefined)
  if (state !== sorted(stateAfter(index))) say(`wrong ${index}`)
  if (!(await tryStep(store, index))) process.exit(3)
}
await store.close()
say('closed')
