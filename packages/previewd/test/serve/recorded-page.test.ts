import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PageRequest, RecordedPage } from '../../src/model/session.ts'
import { SeenRequests } from '../../src/serve/session/page-requests.ts'
import { HandWrittenUpstream } from './hand-written-upstream.ts'
import { PreviewServer } from './preview-server.ts'

const PAGE = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }

let upstream: HandWrittenUpstream
let server: PreviewServer
let requests: SeenRequests
const get = async (path: string, headers: Record<string, string>) =>
  (await server.get(`demo.localhost:${server.port}`, path, headers)).text

/** A session that wakes: its page was recorded, with an answer to everything. */
const recorded: RecordedPage = {
  isWhole: true,
  revision: 1,
  generation: 'one',
  modules: [],
  find: async ({ url }: PageRequest) => ({
    headers: ['content-type', 'text/plain'],
    body: Buffer.from(`recorded ${url}`),
    isGzipped: false,
  }),
}

beforeEach(async () => {
  requests = new SeenRequests()
  upstream = await HandWrittenUpstream.start()
  upstream.answer = (_req, res) => res.end('now')
  const address = () => ({ socket: upstream.socket, revision: 1, generation: 'one' })
  server = await PreviewServer.start({
    requests,
    sessions: {
      address,
      untilLive: async () => address(),
      recorded: async () => recorded,
      view: () => ({ state: 'starting', viewers: 0, restarts: 0 }),
    },
  })
  server.editor = true
  server.addProject('demo')
})
afterEach(async () => {
  await server.stop()
  await upstream[Symbol.asyncDispose]()
})

test('a session that wakes answers with what was recorded for what a page is made of', async () => {
  expect(await get('/', PAGE)).toContain('recorded /')
  for (const dest of ['script', 'style', 'image', 'font']) {
    expect(await get(`/${dest}`, { 'sec-fetch-dest': dest })).toBe(`recorded /${dest}`)
  }
})

test('what scripts ask for themselves is answered by the dev server, and never recorded', async () => {
  expect(await get('/api/me', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })).toBe('now')
  expect(await get('/api/me', { authorization: 'Bearer of-the-app' })).toBe('now')
  expect(requests.of('demo')).toEqual([])
})
