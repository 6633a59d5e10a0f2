import { expect, test } from 'vitest'
import {
  type ClientOptions,
  createClient,
  PreviewdConnectionError,
  PreviewdTimeoutError,
} from '../src/client.ts'
import { delayMs, retryAfterMs } from '../src/retry.ts'
import { type Answer, answering } from './answering.ts'

const READY: Answer = { status: 200, body: { status: 'ready' } }
const problem = (status: number, code: string, headers = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: { type: '', title: '', status, detail: 'Not now.', code },
})

/** A server that gives these answers one after the other, and what it was asked. */
async function inTurn(answers: Answer[], options: Partial<ClientOptions> = {}) {
  const asked: { method: string; url: string; headers: Record<string, unknown> }[] = []
  const server = await answering(({ method = '', url = '', headers }) => {
    asked.push({ method, url, headers })
    return answers[asked.length - 1]
  })
  return Object.assign(server, { asked, client: createClient({ url: server.url, ...options }) })
}

test.each([
  ['a connection that is cut', undefined],
  ['429', problem(429, 'QUEUE_FULL', { 'retry-after': '0' })],
  ['503', problem(503, 'SHUTTING_DOWN')],
  ['502 of a proxy', { status: 502, body: '<h1>Bad gateway</h1>' }],
])('a call is made again after %s', async (_what, first) => {
  await using server = await inTurn([first, READY])
  await server.client.ready()
  expect(server.asked).toHaveLength(2)
})

test('a POST is made again with the same Idempotency-Key, and the next one with another', async () => {
  const status = { project: 'demo' }
  await using server = await inTurn([undefined, { status: 200, body: status }, { status: 200, body: status }])
  const project = server.client.project('demo')
  await project.applyChanges({ files: { a: '' } })
  await project.applyChanges({ files: { a: '' } })
  const keys = server.asked.map(({ headers }) => headers['idempotency-key'])
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
  expect(keys[1]).toBe(keys[0])
  expect(keys[2]).not.toBe(keys[0])
})

test.each([
  ['is refused', problem(404, 'PROJECT_NOT_FOUND'), 'PROJECT_NOT_FOUND'],
  ['fails in the server', problem(500, 'INTERNAL'), 'INTERNAL'],
  [
    'should wait for longer than anybody does',
    problem(503, 'OVERLOADED', { 'retry-after': '3600' }),
    'OVERLOADED',
  ],
  ['is answered by something else', { status: 404, body: 'nginx' }, 'INVALID_ANSWER'],
])('a call that %s is not made again', async (_what, answer, code) => {
  await using server = await inTurn([answer, READY])
  await expect(server.client.ready()).rejects.toMatchObject({ code })
  expect(server.asked).toHaveLength(1)
})

test('a server that stays away is a connection error, after the tries that were allowed', async () => {
  await using server = await inTurn([], { retries: 1 })
  await expect(server.client.ready()).rejects.toThrow(PreviewdConnectionError)
  expect(server.asked).toHaveLength(2)
})

test('a port that nobody listens on is a connection error that says so', async () => {
  // None that was free a moment ago: a test that runs beside this one may have been given it.
  const client = createClient({ url: 'http://127.0.0.1:2', retries: 0 })
  await expect(client.ready()).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
    message: 'No previewd answers at http://127.0.0.1:2/ (ECONNREFUSED). [CONNECTION_FAILED]',
  })
})

test('a server that accepts and says nothing is a time-out', async () => {
  await using server = await answering(() => new Promise<never>(() => undefined))
  const client = createClient({ url: server.url, timeoutMs: 50 })
  await expect(client.ready()).rejects.toThrow(PreviewdTimeoutError)
  await expect(client.ready({ timeoutMs: 20 })).rejects.toThrow('within 20 ms')
})

test('an answer that breaks off half-way is a connection error', async () => {
  await using server = await answering(({ socket }) => {
    // Behind the half, which is written first.
    setImmediate(() => socket.end())
    return { status: 200, headers: { 'content-length': '100' }, body: '{"half":' }
  })
  const client = createClient({ url: server.url, retries: 0 })
  await expect(client.ready()).rejects.toThrow(PreviewdConnectionError)
})

test('a signal ends a call, and the waits between its tries, with its own reason', async () => {
  await using server = await inTurn([problem(503, 'OVERLOADED', { 'retry-after': '30' })])
  const stop = new AbortController()
  const call = server.client.ready({ signal: stop.signal })
  await expect.poll(() => server.asked.length).toBe(1)
  stop.abort(new Error('The user left.'))
  await expect(call).rejects.toThrow('The user left.')
  await expect(server.client.ready({ signal: stop.signal })).rejects.toThrow('The user left.')
  expect(server.asked).toHaveLength(1)
})

test('a redirect is not followed: it would show the key to somebody else', async () => {
  await using elsewhere = await inTurn([READY])
  await using server = await inTurn([{ status: 308, headers: { location: elsewhere.url } }], { apiKey: 'k' })
  await expect(server.client.ready()).rejects.toMatchObject({ code: 'REDIRECTED' })
  expect(elsewhere.asked).toEqual([])
})

test('the API may be below a path', async () => {
  await using server = await inTurn([READY])
  await createClient({ url: `${server.url}/previewd` }).ready()
  expect(server.asked[0]?.url).toBe('/previewd/readyz')
})

test('another fetch can be given', async () => {
  const own = async (...[input, init]: Parameters<typeof fetch>) =>
    Response.json({ input: String(input), key: new Headers(init?.headers).get('authorization') })
  const client = createClient({ url: 'https://previews.example', apiKey: 'k', fetch: own })
  expect(await client.project('demo').status()).toEqual({
    input: 'https://previews.example/v1/projects/demo/status',
    key: 'Bearer k',
  })
})

test.each(['ftp://x', 'not a url', 'http://user:pass@host'])('%s is no server', (url) => {
  expect(() => createClient({ url })).toThrow('url')
})

test('Retry-After is read as seconds or as a date, up to a minute', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  expect(retryAfterMs('7', now)).toBe(7000)
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:09 GMT', now)).toBe(9000)
  for (const none of [null, '', 'soon', '-1', '61', 'Wed, 31 Dec 2025 00:00:00 GMT'])
    expect(retryAfterMs(none, now)).toBeUndefined()
})

test('waits grow, within bounds, and are not all alike', () => {
  for (const attempt of [0, 1, 5, 50]) {
    const waits = Array.from({ length: 50 }, () => delayMs(attempt))
    const fullMs = Math.min(8000, 250 * 2 ** attempt)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(fullMs / 2)
    expect(Math.max(...waits)).toBeLessThanOrEqual(fullMs)
    expect(new Set(waits).size).toBeGreaterThan(1)
  }
})
