import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { openGrants } from '../../src/access/grants.ts'
import { createApi } from '../../src/api/api.ts'
import type { ApiOptions } from '../../src/api/options.ts'
import { type Config, resolveConfig } from '../../src/config.ts'
import { createEventBus } from '../../src/events/bus.ts'
import type { EventBus } from '../../src/model/event.ts'
import type { SandboxStatus } from '../../src/model/worker.ts'
import { createSources } from '../../src/source/sources.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { createHandWrittenPipeline, type HandWrittenPipeline } from './hand-written-pipeline.ts'

export interface TestServer {
  app: FastifyInstance
  store: Store
  pipeline: HandWrittenPipeline
  events: EventBus
  /** Lines that the server logged, as JSON. */
  log: string[]
  sandbox: SandboxStatus
  draining: boolean
  /** Listens on a free port of loopback. */
  listen(): Promise<string>
  close(): Promise<void>
}

const NO_REGISTRY = 'http://registry.invalid/'

/** The API over the real store, bus and grants in a directory of its own. */
export async function startServer(
  environment: NodeJS.ProcessEnv = {},
  overrides: Partial<ApiOptions> & { limits?: Partial<Config['limits']> } = {},
): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-api-'))
  const config = resolveConfig({ PREVIEWD_DATA: dataDir, PREVIEWD_REGISTRY: NO_REGISTRY, ...environment })
  Object.assign(config.limits, overrides.limits)
  const sources = createSources(config)
  const store = await openStore({ dataDir, limits: config.limits })
  const events = overrides.events ?? createEventBus()
  const pipeline = createHandWrittenPipeline(store, events)
  const log: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => log.push(line) })
  const server = { log, store, pipeline, events, draining: false } as TestServer
  server.sandbox = { tier: 'full', usable: true, problems: [] }
  server.app = await createApi({
    ...store,
    sources,
    pipeline,
    events,
    config,
    logger,
    grants: openGrants(dataDir),
    workers: { status: async () => server.sandbox, pool: () => ({ waiting: 2, due: 1, hits: 3, misses: 4 }) },
    isDraining: () => server.draining,
    ...overrides,
  })
  server.listen = () => server.app.listen({ host: '127.0.0.1', port: 0 })
  server.close = async () => {
    await server.app.close()
    await store.close()
    await rm(dataDir, { recursive: true })
  }
  return server
}

export const HOST = { host: '127.0.0.1:4400' }

/** One call without a network; a body is sent as JSON. */
export function call(
  server: TestServer,
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS',
  url: string,
  { body, headers }: { body?: object | string; headers?: Record<string, string> } = {},
) {
  return server.app.inject({
    method,
    url,
    headers: { ...HOST, ...headers },
    ...(body !== undefined && { payload: body }),
  })
}

/** A project `demo` with one built revision. */
export async function withDemo(server: TestServer): Promise<void> {
  server.pipeline.automatic = true
  const files = { 'index.html': '<h1>hello</h1>', 'src/App.tsx': 'export const App = () => null\n' }
  await call(server, 'POST', '/v1/projects/demo/changes', { body: { files } })
  server.pipeline.automatic = false
}
