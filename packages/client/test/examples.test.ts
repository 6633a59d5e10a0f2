import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Exchange } from '../../../protocol/exchange.ts'
import { createClient, type PreviewdClient, PreviewdError, type ProjectHappening } from '../src/client.ts'
import type { Changes, ProjectSettings, Sync } from '../src/protocol.ts'
import { answering } from './answering.ts'

const folder = join(import.meta.dirname, '../../../protocol/examples')
const examples = readdirSync(folder).map(
  (file) =>
    [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8')) as Exchange] as const,
)

/** How each operation is called by whoever has the client, from what its example sends. */
const CALLS: Record<string, (client: PreviewdClient, request: Sent) => Promise<unknown>> = {
  putProject: (client, { body }) => client.project('demo').update(body as ProjectSettings),
  getProject: (client) => client.project('demo').info(),
  deleteProject: (client) => client.projects.delete('demo'),
  listProjects: async (client) => ({
    items: await Array.fromAsync(client.projects.list()),
    nextCursor: null,
  }),
  applyChanges: (client, { body, query, headers }) =>
    client.project('demo').applyChanges(withBytes(body as Changes), {
      ...query,
      idempotencyKey: headers?.['idempotency-key'] ?? 'key',
    }),
  syncProject: (client, { body, query }) => client.project('demo').sync(body as Sync, query),
  listFiles: (client) => client.project('demo').files.list(),
  readFile: (client) => client.project('demo').files.readText('src/main.js'),
  createBuild: async (client, { body, query }) =>
    (await client.project('demo').build({ ...(body as { force?: true }), ...query })).info,
  listBuilds: async (client) => ({
    items: (await Array.fromAsync(client.project('demo').builds())).map(({ info }) => info),
    nextCursor: null,
  }),
  getBuild: async (client, { buildId }) => (await client.project('demo').getBuild(buildId)).info,
  publishBuild: (client, { buildId }) => client.project('demo').publish(buildId),
  getStatus: (client) => client.project('demo').status(),
  startSession: async (client) => (await client.project('demo').startSession()).info,
  getSession: (client) => client.project('demo').session(),
  stopSession: (client) => client.project('demo').stopSession(),
  createGrant: (client) => client.project('demo').getPreviewUrl({ role: 'editor', expiresInSeconds: 600 }),
  revokeGrants: (client) => client.project('demo').revokePreviewUrls(),
  streamProjectEvents: (client, { query, count }) =>
    take(client.project('demo').events({ ...query, ...(query.types && { types: ['status'] }) }), count),
  getDiagnostics: (client, { query }) =>
    query.format === 'prompt'
      ? client.project('demo').diagnostics({ format: 'prompt', maxChars: 4000 })
      : client.project('demo').diagnostics(),
  getLogs: (client) => client.project('demo').logs(),
}

interface Sent {
  body: unknown
  // biome-ignore lint/suspicious/noExplicitAny: options of whichever call it is
  query: Record<string, any>
  headers: Record<string, string> | undefined
  buildId: string
  /** Events of a stream. */
  count: number
}

/** Calls of keys, which belong to the operator, of one build, of the log line by line, and the first plan's. */
const NOT_OFFERED =
  /^(create-key|list-keys|delete-key|cancel-build|get-logs-json|follow-logs|legacy-.*|unauthorized)$/

test.each(examples.filter(([name]) => !NOT_OFFERED.test(name)))(
  'what %s shows is what the client sends and reads',
  async (_name, { operation, request, response }) => {
    const received: { method?: string; url: URL; body: unknown }[] = []
    await using server = await answering(async (incoming) => {
      const body = await text(incoming)
      const url = new URL(incoming.url ?? '', 'http://localhost')
      received.push({ method: incoming.method ?? '', url, body: body === '' ? undefined : JSON.parse(body) })
      return response
    })
    const client = createClient({ url: server.url, retries: 0 })
    const url = new URL(request.path, 'http://localhost')
    const query = Object.fromEntries(
      [...url.searchParams].map(([name, value]) => [name, /^\d+$/.test(value) ? Number(value) : value]),
    )
    const call = CALLS[operation]
    const answer = call?.(client, {
      body: request.body,
      query,
      headers: request.headers,
      buildId: url.pathname.split('/')[5] ?? '',
      count: response.events?.length ?? 0,
    })
    if (response.status < 400) expect(await answer).toEqual(expected(operation, response))
    else await expect(answer).rejects.toSatisfy((error) => isProblem(error, response))

    const [sent] = received
    expect(sent?.method).toBe(request.method)
    expect(sent?.url.pathname).toBe(url.pathname)
    expect(sent?.body ?? {}).toEqual(request.body ?? {})
    // Pages are as long as the client likes; where a stream begins is said in a header.
    for (const name of ['limit', 'after']) for (const at of [url, sent?.url]) at?.searchParams.delete(name)
    expect(Object.fromEntries(sent?.url.searchParams ?? [])).toEqual(Object.fromEntries(url.searchParams))
  },
)

test('every operation that a client offers has its example', () => {
  const shown = new Set(examples.map(([, { operation }]) => operation))
  expect(Object.keys(CALLS).filter((operation) => !shown.has(operation))).toEqual([])
})

test('the lines of a log are read one by one, until its end', async () => {
  const [, { response }] = examples.find(([name]) => name === 'follow-logs') ?? expect.fail()
  const [, { response: built }] = examples.find(([name]) => name === 'get-build') ?? expect.fail()
  await using server = await answering(async ({ url = '' }) => (url.includes('/logs') ? response : built))
  const build = await createClient({ url: server.url }).project('demo').getBuild('build0000001')
  const lines = response.events?.filter(({ type }) => type === 'log').map(({ data }) => data)
  expect(lines?.length).toBeGreaterThan(1)
  expect(await Array.fromAsync(build.logs())).toEqual(lines)
})

function expected(operation: string, { status, body, events }: Exchange['response']): unknown {
  if (operation === 'applyChanges' || operation === 'syncProject')
    return { ...(body as object), timedOut: status === 202 }
  if (operation === 'createGrant') return (body as { url: string }).url
  if (operation === 'streamProjectEvents') return events
  // The client reads on; its server here gives the same page again, so an example is the last one.
  if (operation === 'listProjects' || operation === 'listBuilds')
    return { ...(body as object), nextCursor: null }
  return body
}

function isProblem(error: unknown, { status, body }: Exchange['response']): boolean {
  expect(error).toBeInstanceOf(PreviewdError)
  const { code, detail } = body as { code: string; detail: string }
  expect(error).toMatchObject({ code, detail, status, problem: body })
  return true
}

function withBytes({ files = {}, ...changes }: Changes) {
  const contents = Object.entries(files).map(([path, content]) => [
    path,
    typeof content === 'string' ? content : new Uint8Array(Buffer.from(content.content, 'base64')),
  ])
  return { ...changes, files: Object.fromEntries(contents) as Record<string, string | Uint8Array> }
}

async function take(events: AsyncIterable<ProjectHappening>, count: number): Promise<ProjectHappening[]> {
  const taken: ProjectHappening[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
}
