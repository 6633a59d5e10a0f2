import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
  await withDemo(server)
})
afterAll(() => server.close())

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    'demo',
    'nobody',
    '..',
    '.',
    '',
    '%',
    '%00',
    '%2e%2e',
    '__proto__',
    'constructor',
    '0',
    '-1',
    '1e9',
    'a,b',
  ),
)
const segment = fc.oneof(
  text,
  fc.constantFrom(
    'v1',
    'projects',
    'changes',
    'builds',
    'files',
    'logs',
    'events',
    'keys',
    'grants',
    'publish',
    'docs',
  ),
)
const encoded = (part: string) => encodeURIComponent(part.toWellFormed())
const path = fc.oneof(
  fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.map(encoded).join('/')}`),
  fc.array(segment, { maxLength: 4 }).map((parts) => `/v1/projects/demo/${parts.map(encoded).join('/')}`),
)
const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        'wait',
        'timeoutMs',
        'limit',
        'cursor',
        'build',
        'format',
        'types',
        'after',
        'replace',
        'x',
      ),
      text,
    ),
    { maxLength: 3 },
  )
  .map((pairs) => pairs.map(([name, value]) => `${name}=${encoded(value)}`).join('&'))
const body = fc.oneof(
  fc.constant(undefined),
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc
    .record({ files: fc.dictionary(text, fc.jsonValue()), deleted: fc.jsonValue() }, { requiredKeys: [] })
    .map((value) => JSON.stringify(value)),
)

it('answers whatever it is sent with a success or a problem, and never with a failure of its own', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
      path,
      query,
      body,
      fc.constantFrom(
        'application/json',
        'application/x-tar',
        'multipart/form-data; boundary=x',
        'text/plain',
        'nonsense',
      ),
      async (method, url, search, payload, type) => {
        // Streams do not end, and the projects are needed.
        fc.pre(!/events|follow/.test(url + search) && !(method === 'DELETE' && /demo\/?$/.test(url)))
        const answer = await call(server, method as 'GET', `${url}?timeoutMs=1&${search}`, {
          headers: { 'content-type': type },
          ...(payload !== undefined && { body: payload }),
        })
        expect([500, 502, 507]).not.toContain(answer.statusCode)
        if (answer.statusCode >= 400 && method !== 'HEAD') {
          expect(answer.headers['content-type']).toContain('application/problem+json')
          expect(answer.json().code).toMatch(/^[A-Z_]+$/)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
