import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { createClient, PreviewdError } from '../src/client.ts'
import { answering } from './answering.ts'

const KEY = 'canary-3f9c1b'

/** Everything that a program may write of a value. */
function written(value: unknown): string {
  const all = inspect(value, { depth: 20, showHidden: true, getters: true })
  const stack = value instanceof Error ? `${value.stack} ${written(value.cause)} ${String(value)}` : ''
  return `${all} ${JSON.stringify(value)} ${JSON.stringify(Object.entries(value ?? {}))} ${stack}`
}

async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown')
}

test('neither the client nor anything that it gives shows the key', async () => {
  await using server = await answering(() => ({ status: 200, body: { id: 'b', project: 'demo', items: [] } }))
  const client = createClient({ url: server.url, apiKey: KEY })
  const project = client.project('demo')
  const build = await project.build()
  const given = [
    client,
    client.projects,
    project,
    project.files,
    build,
    project.trackStream(),
    project.events(),
  ]
  for (const value of [...given, await project.startSession()]) expect(written(value)).not.toContain(KEY)
})

test.each([
  ['a server that echoes nothing of it', () => ({ status: 500, body: { code: 'INTERNAL', detail: 'x' } })],
  ['a server that hangs up', () => undefined],
  ['a server that is none', () => ({ status: 200, body: 'hello' })],
])('no error of %s shows it', async (_what, answer) => {
  await using server = await answering(answer)
  const client = createClient({ url: server.url, apiKey: KEY, retries: 0 })
  const error = await thrownBy(() => client.project('demo').status())
  expect(error).toBeInstanceOf(PreviewdError)
  expect(written(error)).not.toContain(KEY)
})

test('an error of fetch that carries its request is not passed on', async () => {
  const failing = async (...[, init]: Parameters<typeof fetch>): Promise<never> => {
    throw Object.assign(new TypeError('fetch failed'), { request: init })
  }
  const client = createClient({ url: 'http://127.0.0.1:1', apiKey: KEY, fetch: failing, retries: 0 })
  const error = await thrownBy(() => client.ready())
  expect(error).toMatchObject({ cause: { message: 'fetch failed' } })
  expect(written(error)).not.toContain(KEY)
})

test.each([
  ['a key with a line end', { url: 'http://127.0.0.1:1', apiKey: `${KEY}\n` }],
  ['a key with a space', { url: 'http://127.0.0.1:1', apiKey: `${KEY} ` }],
  ['a key in the URL', { url: `http://previewd:${KEY}@127.0.0.1:1` }],
  ['a key instead of the URL', { url: KEY }],
])('%s is refused without being shown', async (_what, options) => {
  const error = await thrownBy(() => createClient(options))
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS' })
  expect(written(error)).not.toContain(KEY)
})
