import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionState, SessionView } from '../../src/model/session.ts'
import { batchOf, openPipeline, type PipelineUnderTest } from '../pipeline/pipeline-under-test.ts'

let under: PipelineUnderTest
const nowMs = Date.now()
let running = 0
let most = 0

const MAX = 2
const IDLE_MS = 60_000
const STATE_TIMEOUT_MS = 100_000
const APP = {
  'package.json': '{"type":"module","devDependencies":{"vite":"^8.0.0"}}',
  'index.html': '<script type="module" src="/main.js"></script>',
  'main.js': 'import { a } from "./a.js"; console.log(a); import.meta.hot?.accept()',
  'a.js': 'export const a = "first"',
}

beforeAll(async () => {
  under = await openPipeline({
    sessions: { max: MAX, idleMs: IDLE_MS, now: () => nowMs },
    observe: (workers) => ({
      status: () => workers.status(),
      close: () => workers.close(),
      start: async (spec) => {
        const worker = await workers.start(spec)
        if (spec.listen === undefined) return worker
        most = Math.max(most, ++running)
        const stop = worker.stop.bind(worker)
        let isCounted = true
        worker.stop = async () => {
          await stop()
          if (isCounted) running--
          isCounted = false
        }
        return worker
      },
    }),
  })
})
afterAll(async () => {
  expect(under.errors).toEqual([])
  await under[Symbol.asyncDispose]()
})

/** Applies files without the builds of the pipeline. */
async function edit(project: string, files: Record<string, string>, deleted: string[] = []): Promise<number> {
  const { revision } = await under.store.files.apply(project, { ...batchOf(files), deleted })
  return revision
}

async function until(project: string, ...states: SessionState[]): Promise<SessionView> {
  await expect
    .poll(() => under.sessions.view(project).state, { timeout: STATE_TIMEOUT_MS, interval: 50 })
    .toSatisfy((state: SessionState) => states.includes(state) || state === 'error')
  const view = under.sessions.view(project)
  if (!states.includes(view.state)) throw new Error(JSON.stringify(view))
  return view
}

async function live(project: string, files: Record<string, string> = {}): Promise<SessionView> {
  under.store.projects.put(project, {})
  await edit(project, { ...APP, ...files })
  under.sessions.ensure(project)
  return await until(project, 'live')
}

async function get(project: string, path: string): Promise<{ status: number; text: string }> {
  const { socket = '' } = under.sessions.address(project) ?? {}
  const asked = request({ socketPath: socket, path, headers: { host: 'demo.example.org' } }).end()
  const [answer] = await once(asked, 'response')
  const text = (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
  return { status: answer.statusCode, text }
}

describe('a session', () => {
  it('serves the modules of the newest revision, and each further one', async () => {
    const view = await live('edits')
    expect(view).toMatchObject({ state: 'live', revision: 1, restarts: 0, startMs: expect.any(Number) })
    expect((await get('edits', '/a.js')).text).toContain('first')
    await get('edits', '/main.js')
    const revision = await edit('edits', { 'a.js': 'export const a = "second"' })
    const update = await under.sessions.apply('edits', revision)
    expect(update).toEqual({ revision, kind: 'hmr', errors: [] })
    expect((await get('edits', '/a.js')).text).toContain('second')
    expect(under.sessions.view('edits')).toMatchObject({ state: 'live', revision })
    await under.sessions.stop('edits', 'Done.')
    expect(under.sessions.view('edits')).toMatchObject({ state: 'off', reason: 'Done.' })
    expect(under.sessions.address('edits')).toBeUndefined()
  })
})
