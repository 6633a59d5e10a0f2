import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { createArtifacts } from '../../src/artifact/artifacts.ts'
import { planDev } from '../../src/build/dev-plan.ts'
import { BuildLogs } from '../../src/build/log.ts'
import { type Config, resolveConfig } from '../../src/config.ts'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import { createEnvironments } from '../../src/environment/environments.ts'
import { createNodes } from '../../src/environment/nodes.ts'
import { createEventBus } from '../../src/events/bus.ts'
import type { Artifacts } from '../../src/model/artifact.ts'
import type { Egress } from '../../src/model/egress.ts'
import type { EventBus } from '../../src/model/event.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import type { Workers } from '../../src/model/worker.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import { type BuildPipeline, createPipeline } from '../../src/pipeline/pipeline.ts'
import { createSessions, type LiveSessions, type SessionsOptions } from '../../src/session/sessions.ts'
import { createSources } from '../../src/source/sources.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { createWorkers } from '../../src/worker/workers.ts'

const WAIT_MS = 100_000

/** All stages over a data directory of their own, without the HTTP around them. */
export interface PipelineUnderTest extends AsyncDisposable {
  dataDir: string
  store: Store
  artifacts: Artifacts
  events: EventBus
  pipeline: BuildPipeline
  sessions: LiveSessions
  /** What runs project code. */
  parts: Pick<SessionsOptions, 'workers' | 'environments' | 'nodes'>
  errors: unknown[]
  /** Sends files and waits until their revision is built (or checked). */
  push(
    project: string,
    files: Record<string, string | Buffer>,
    wait?: 'built' | 'checked',
  ): Promise<ProjectStatus>
  /** Text of a file that is published. */
  published(project: string, path: string): Promise<string>
  /** Ends the stages and leaves the data directory. */
  close(): Promise<void>
}

export interface UnderTestOptions {
  dataDir?: string
  config?: Partial<Config>
  build?: Partial<Config['build']>
  sessions?: Partial<SessionsOptions>
  appServers?: PipelineParts['appServers']
  sources?: PipelineParts['sources']
  egress?: (socketDir: string) => Egress
  /** Workers that wait for their use; none by default. */
  poolSize?: number
  /** Stands between the stages and the sandbox, to count. */
  observe?: (workers: Workers) => Workers
}

export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-pipeline-'))
  // Workers have users of their own, which have to reach their files.
  await chmod(dataDir, 0o711)
  return dataDir
}

export async function openPipeline(options: UnderTestOptions = {}): Promise<PipelineUnderTest> {
  const dataDir = options.dataDir ?? (await makeDataDir())
  const base = resolveConfig({ PREVIEWD_DATA: dataDir, ...registryOfMachine() })
  const config = { ...base, ...options.config, build: { ...base.build, concurrency: 2, ...options.build } }
  const errors: unknown[] = []
  const store = await openStore({ dataDir, limits: config.limits })
  const { poolSize = 0 } = options
  const slots = config.build.concurrency + config.sessions.max + poolSize + 2
  const real = createWorkers({ dataDir, minimumTier: config.sandbox, slots, poolSize })
  const workers = options.observe?.(real) ?? real
  const environments = createEnvironments({
    dataDir,
    workers,
    registry: config.registry,
    locks: store.locks,
    installTimeoutMs: config.build.installTimeoutMs,
  })
  const nodes = createNodes({ dataDir, registry: config.registry })
  const artifacts = createArtifacts({ dataDir, cacheBytes: config.cacheBytes })
  const events = createEventBus()
  const socketDir = join(dataDir, 'run')
  const sessions = createSessions({
    ...store,
    ...config.sessions,
    dataDir,
    environments,
    nodes,
    workers,
    events,
    egress: options.egress?.(socketDir) ?? createEgress({ ...config.egress, socketDir }),
    plan: (snapshot, settings) => planDev(snapshot, settings, config),
    socketDir,
    processes: config.build.processes,
    logBytes: config.build.logBytes,
    onLog: (project, line) => pipeline.sessionLog(project, line),
    onError: (error) => errors.push(error),
    ...options.sessions,
  })
  const sources = options.sources ?? createSources(config)
  const pipeline = createPipeline({
    ...store,
    sources,
    environments,
    nodes,
    workers,
    sessions,
    viewers: options.sessions?.viewers,
    appServers: options.appServers,
    artifacts,
    events,
    logs: new BuildLogs({ dataDir, logBytes: config.build.logBytes }),
    config,
    urls: (project) => ({
      preview: `http://${project}.localhost/`,
      path: `http://localhost/preview/${project}/`,
    }),
    onError: (error) => errors.push(error),
  })
  const close = async () => {
    await pipeline.drain(0)
    await sources[Symbol.asyncDispose]()
    await sessions.close()
    nodes.close()
    await environments.close()
    await workers.close()
    artifacts.close()
    await store.close()
  }
  return {
    dataDir,
    store,
    artifacts,
    events,
    pipeline,
    sessions,
    parts: { workers, environments, nodes },
    errors,
    async push(project, files, wait = 'built') {
      const { revision } = await pipeline.applyChanges(project, batchOf(files))
      const reached = await pipeline.waitFor(project, revision, wait, WAIT_MS)
      if (!reached) throw new Error(`${project} was not built in ${WAIT_MS} ms`)
      return pipeline.status(project)
    },
    async published(project, path) {
      const { published } = pipeline.status(project)
      const artifact = await artifacts.open(project, published?.buildId ?? '')
      return (await artifact.read(path)).toString('utf8')
    },
    close,
    async [Symbol.asyncDispose]() {
      await close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function registryOfMachine(): Record<string, string> {
  return Object.fromEntries(
    ['PREVIEWD_REGISTRY', 'PREVIEWD_REGISTRY_TOKEN', 'PREVIEWD_SANDBOX'].flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

export function batchOf(files: Record<string, string | Buffer>) {
  return {
    files: Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) })),
    deleted: [],
  }
}

/** The files of a folder below test/fixtures, by path. */
export async function fixture(name: string): Promise<Record<string, Buffer>> {
  const folder = join(import.meta.dirname, '../fixtures', name)
  const files: Record<string, Buffer> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    files[posix.normalize(file.slice(folder.length + 1))] = await readFile(file)
  }
  return files
}
