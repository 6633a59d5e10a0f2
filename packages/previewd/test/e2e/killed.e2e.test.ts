import { rmSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Client } from './client.ts'
import { startDaemonChild } from './daemon-child.ts'
import { makeDataDir } from './daemon-under-test.ts'
import { configThatRuns, sampleProject } from './sample-project.ts'

let dataDir: string

beforeEach(() => {
  dataDir = makeDataDir()
})

afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const KILLED_AT: { title: string; until: (client: Client) => Promise<void> }[] = [
  { title: 'as soon as a revision is acknowledged', until: async () => undefined },
  { title: 'while it installs', until: (client) => untilState(client, ['installing', 'building']) },
  { title: 'while it builds', until: (client) => untilState(client, ['building']) },
]

/** The build stays in each of these states for longer than it takes to ask again, however long the install takes. */
async function untilState(client: Client, states: string[]): Promise<void> {
  const state = async () => (await client.status('killed')).state
  await expect.poll(state, { interval: 10, timeout: 120_000 }).toBeOneOf([...states, 'ready', 'error'])
}

test.for(KILLED_AT)(
  'a server killed $title builds the acknowledged revision when it is back',
  async ({ until }) => {
    const slow = configThatRuns('await new Promise((resolve) => setTimeout(resolve, 1500))')
    let revision: number
    {
      await using first = await startDaemonChild(dataDir)
      ;({ revision } = await first.client.push('killed', sampleProject('survived', slow), {
        wait: 'applied',
      }))
      await until(first.client)
      await first.kill()
    }
    await using second = await startDaemonChild(dataDir)
    const again = await second.client.push('killed', sampleProject('survived', slow))
    expect(again).toMatchObject({ code: 200, revision, changed: [], status: { state: 'ready' } })
    const page = await second.client.preview('killed')
    expect({ code: page.code, published: again.status.published?.revision }).toEqual({
      code: 200,
      published: revision,
    })
  },
)

test('a server killed at random instants of sync, build and publish keeps every acknowledged revision', async () => {
  let acknowledged = 0
  for (let round = 0; round < 6; round++) {
    await using daemon = await startDaemonChild(dataDir)
    const { client } = daemon
    const found = await client.push('killed', sampleProject('start'), { wait: 'applied' })
    expect(found.revision).toBeGreaterThanOrEqual(acknowledged)
    acknowledged = found.revision
    const pushing = (async () => {
      for (let edit = 0; edit < 200; edit++) {
        const files = { 'src/main.js': `document.title = '${round}-${edit}'\n` }
        acknowledged = (await client.push('killed', files, { wait: edit % 5 === 4 ? 'built' : 'applied' }))
          .revision
      }
    })().catch(() => undefined)
    // Not a wait for something to be done: the instant of the kill is what varies between rounds.
    await new Promise((resolve) => setTimeout(resolve, 400 + 350 * round))
    await daemon.kill()
    await pushing
  }
  await using last = await startDaemonChild(dataDir)
  const status = await last.client.status('killed')
  expect(status.revision).toBeGreaterThanOrEqual(acknowledged)
  const built = await last.client.push('killed', { 'src/main.js': "document.title = 'end'\n" })
  expect(built.status).toMatchObject({ state: 'ready', published: { revision: built.revision } })
})
