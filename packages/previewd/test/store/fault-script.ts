import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../../src/store/open-store.ts'

export type Contents = Record<string, string>
type Step = { put: Contents; deleted?: string[]; compacts?: true } | 'delete'

export const PROJECT = 'demo'
const SMALL_PACK_BYTES = 2 * 1024 * 1024

const big = (letter: string) => letter.repeat(900_000)

/** A life of a project: its files change, its pack is compacted, it is deleted and made anew. */
export const STEPS: readonly Step[] = [
  { put: { 'index.html': 'one', 'src/App.tsx': 'app', 'src/empty': '' } },
  { put: { 'src/App.tsx': 'app 2', 'src/new.ts': 'new' } },
  { put: { 'index.html': 'two' }, deleted: ['src/empty', 'src/new.ts'] },
  { put: { big: big('a') } },
  { put: { big: big('b'), small: 'x' } },
  { put: { big: big('c') }, compacts: true },
  { put: { 'src/App.tsx': 'app 3' } },
  'delete',
  { put: { fresh: '1' } },
  { put: { fresh: '2', other: '3' } },
]

/** What the project holds after so many steps; undefined where there is no project. */
export function stateAfter(steps: number): Contents | undefined {
  let state: Contents | undefined
  for (const step of STEPS.slice(0, steps)) {
    if (step === 'delete') {
      state = undefined
      continue
    }
    state = { ...state, ...step.put }
    for (const path of step.deleted ?? []) delete state[path]
  }
  return state
}

export async function takeStep(store: Store, dataDir: string, index: number): Promise<void> {
  const step = STEPS[index]
  if (step === undefined) throw new Error(`There is no step ${index}.`)
  if (step === 'delete') {
    await store.projects.delete(PROJECT)
    return
  }
  const files = Object.entries(step.put).map(([path, text]) => ({ path, content: Buffer.from(text) }))
  await store.files.apply(PROJECT, { files, deleted: step.deleted ?? [] })
  if (step.compacts) await compacted(dataDir)
}

/** Compaction happens behind the answer. It gives up when the disk fails, so the wait has an end. */
async function compacted(dataDir: string): Promise<void> {
  const pack = join(dataDir, 'projects', PROJECT, 'files.pack')
  for (let tries = 0; tries < 100; tries++) {
    if ((await stat(pack)).size < SMALL_PACK_BYTES) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
