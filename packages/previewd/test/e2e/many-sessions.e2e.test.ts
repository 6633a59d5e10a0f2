import { rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Client } from './client.ts'
import { startDaemonChild } from './daemon-child.ts'
import { makeDataDir } from './daemon-under-test.ts'
import { proportionalKib, withDescendants } from './process-tree.ts'
import { sampleProject } from './sample-project.ts'

const MIB = 1024 * 1024
const PLACES = 3
/** More than may wait for a place. */
const STARTS = 110
const MEMORY_BYTES = 1024 * MIB
const SMALL_MACHINE = {
  PREVIEWD_MAX_SESSIONS: String(PLACES),
  PREVIEWD_MEMORY: String(MEMORY_BYTES),
  PREVIEWD_POOL_SIZE: '0',
  PREVIEWD_BUILD_CONCURRENCY: '1',
  PREVIEWD_BUILD_QUIET_MS: '600000',
}
/** Three rounds of all places. */
const SEEN_LIVE = 3 * PLACES
const OF_SOMEBODY_ELSE = { 'x-forwarded-for': '192.0.2.1' }
const names = Array.from({ length: STARTS }, (_, index) => `many-${index}`)

test('a small machine that is asked for a hundred sessions at once starts what it has places for, and goes on', async () => {
  await using opened = new AsyncDisposableStack()
  const dataDir = makeDataDir()
  opened.defer(() => rm(dataDir, { recursive: true, force: true }))
  const { client, pid } = opened.use(await startDaemonChild(dataDir, SMALL_MACHINE))
  await client.push('steady', sampleProject('steady'))
  await Promise.all(names.map((name) => client.push(name, sampleProject(name), { wait: 'applied' })))
  const watch = watchServer(client, pid)

  const answers = await Promise.all(
    names.map(async (name) => ({ name, code: await client.session(name, 'PUT') })),
  )
  const taken = answers.filter(({ code }) => code !== 429).map(({ name }) => name)
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([202, 429]))

  const seen = new Set<string>()
  while (seen.size < SEEN_LIVE) {
    const live = await liveOf(client, taken)
    expect(live.length).toBeLessThanOrEqual(PLACES)
    // Side by side: one that waited for its turn here would be put to sleep for those that wait for its place.
    const texts = await Promise.all(live.map((name) => client.preview(name, '/src/main.js')))
    for (const [index, name] of live.entries()) expect(texts[index]?.text).toContain(name)
    const ended = await Promise.all(live.map((name) => client.session(name, 'DELETE')))
    expect(ended).toEqual(live.map(() => 204))
    for (const name of live) seen.add(name)
    await pause(50)
  }

  const { previews, mostBytes, mostOwnBytes } = await watch.stop()
  expect(previews).toEqual(new Set([200]))
  expect(mostBytes).toBeLessThan(MEMORY_BYTES)
  expect(mostOwnBytes).toBeLessThan(512 * MIB)
  await Promise.all(names.map((name) => fetch(`${client.url}/v1/projects/${name}`, { method: 'DELETE' })))
  await expect.poll(() => withDescendants(pid)).toEqual([pid])
  expect((await client.preview('steady', '/', OF_SOMEBODY_ELSE)).code).toBe(200)
})

/** How the longest wait for a place ends, two minutes after it began: not a failure of the session. */
const NO_ROOM = /^There is no room/

/** None of them may have failed: each waits, starts, is live, or was stopped. */
async function liveOf(client: Client, projects: readonly string[]): Promise<string[]> {
  const states = await Promise.all(
    projects.map(async (name) => ({ name, ...(await client.status(name)).session })),
  )
  const failed = states.filter(({ state, reason = '' }) => state === 'error' && !NO_ROOM.test(reason))
  expect(failed).toEqual([])
  return states.filter(({ state }) => state === 'live').map(({ name }) => name)
}

/** Asks for a preview all the time, and looks at what the server and all that it started hold. */
function watchServer(client: Client, pid: number) {
  const previews = new Set<number>()
  let [mostBytes, mostOwnBytes] = [0, 0]
  let isOver = false
  const watch = async () => {
    while (!isOver) {
      previews.add((await client.preview('steady', '/', OF_SOMEBODY_ELSE)).code)
      const own = proportionalKib(pid) * 1024
      const all = withDescendants(pid).reduce((sum, one) => sum + proportionalKib(one) * 1024, 0)
      mostBytes = Math.max(mostBytes, all - own)
      mostOwnBytes = Math.max(mostOwnBytes, own)
      await pause(100)
    }
  }
  const watching = watch()
  return {
    stop: async () => {
      isOver = true
      await watching
      return { previews, mostBytes, mostOwnBytes }
    },
  }
}
