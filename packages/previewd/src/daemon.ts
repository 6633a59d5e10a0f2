import { EventEmitter } from 'node:events'
import { rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { openGrants } from './access/grants.ts'
import { assertListenable, isLoopback } from './access/listen.ts'
import { createOriginPolicy } from './access/origin.ts'
import { createAuthenticate } from './access/principal.ts'
import { Addresses } from './addresses.ts'
import { createApi } from './api/api.ts'
import { createArtifacts } from './artifact/artifacts.ts'
import { planDev } from './build/dev-plan.ts'
import { BuildLogs } from './build/log.ts'
import { allowedVariables } from './build/plan.ts'
import type { Config } from './config.ts'
import { DiskCare, freeShareOf } from './disk-care.ts'
import { createEgress } from './egress/egress-proxy.ts'
import { createEnvironments } from './environment/environments.ts'
import { createNodes } from './environment/nodes.ts'
import { createEventBus } from './events/bus.ts'
import { closeWithConnections, createFrontServer, listenForPaths } from './front-server.ts'
import { createLogger } from './logger.ts'
import { MemoryBudget } from './memory-budget.ts'
import { createPipeline } from './pipeline/pipeline.ts'
import { createGateway } from './serve/gateway.ts'
import { SeenRequests } from './serve/session/page-requests.ts'
import { createViewers } from './serve/viewers.ts'
import { createAppServers } from './session/app-servers.ts'
import { createSessions } from './session/sessions.ts'
import { GIT_WORKERS } from './source/git-kind.ts'
import { gitReach, parseGitHost } from './source/git-place.ts'
import { createSources } from './source/sources.ts'
import { openStore } from './store/open-store.ts'
import { createWorkers } from './worker/workers.ts'

/** Beside the builds, one place for the worker that looks whether the sandbox is whole. */
const SPARE_SLOTS = 1
/** For a session that gets other dependencies: its new worker starts beside the old one. */
const REPLACEMENT_SLOTS = 1
const DRAIN_TIMEOUT_MS = 30_000
/** Connections that are in use hear in this time, with an answer, that they end. */
const LAST_ANSWERS_MS = 250
const API_PATHS = ['v1', 'api', 'docs', 'openapi.json', 'livez', 'readyz', 'healthz', 'health', 'metrics']

export interface Daemon {
  /** Where the API answers, e.g. `http://127.0.0.1:4400`. */
  url: string
  /** Refuses new work, lets builds end, closes everything. `timeoutMs` bounds the wait for builds. */
  close(options?: { timeoutMs?: number }): Promise<void>
}

/**
 * Puts the parts together and listens. Rejects with a readable Error where the data directory is in use, the port is
 * taken, or the configuration would open the server to the network without a key.
 */
export async function startDaemon(config: Config, logger: Logger = createLogger(config)): Promise<Daemon> {
  assertListenable(config)
  const parts = new AsyncDisposableStack()
  try {
    return await compose(config, logger, parts)
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

/** What is opened goes onto `parts` in order, to be closed in the opposite one. */
async function compose(config: Config, logger: Logger, parts: AsyncDisposableStack): Promise<Daemon> {
  const stages = await openStages(config, logger, parts)
  const joined = joinStages(config, logger, parts, stages)
  const { pipeline } = joined
  let closing: Promise<void> | undefined
  const { gateway, url } = await listen(config, logger, parts, {
    ...stages,
    ...joined,
    isDraining: () => closing !== undefined,
  })
  await pipeline.resume()
  const status = await stages.workers.status()
  for (const problem of status.problems) logger.warn(problem)
  logger.info({ url, sandbox: status.tier }, 'previewd listens.')

  async function close(timeoutMs: number): Promise<void> {
    await Promise.all([pipeline.drain(timeoutMs), delay(LAST_ANSWERS_MS)])
    // Before the listeners, which wait for their open streams.
    gateway.close()
    await parts.disposeAsync()
  }
  return {
    url,
    close: ({ timeoutMs = DRAIN_TIMEOUT_MS } = {}) => (closing ??= close(timeoutMs)),
  }
}

/** What knows nothing of the rest: files, workers, dependencies, artifacts, events. */
async function openStages(config: Config, logger: Logger, parts: AsyncDisposableStack) {
  const { dataDir, build } = config
  const store = await openStore({ dataDir, limits: config.limits, logger })
  parts.defer(() => store.close())
  const workers = createWorkers({
    dataDir,
    minimumTier: config.sandbox,
    slots: workerPlaces(config),
    poolSize: config.poolSize,
    availableBytes: () => memory.leftBytes(),
    installerSlots: build.concurrency + SPARE_SLOTS,
    logger,
  })
  parts.defer(() => workers.close())
  const memory = new MemoryBudget(config.memoryBytes, {
    usedBytes: () => workers.memoryBytes(),
    onError: (error, what) => logger.error({ err: error }, what),
  })
  parts.defer(() => memory.stop())
  const environments = createEnvironments({
    dataDir,
    workers,
    registry: config.registry,
    locks: store.locks,
    installTimeoutMs: build.installTimeoutMs,
    logger,
  })
  parts.defer(() => environments.close())
  const nodes = createNodes({ dataDir, registry: config.registry, logger })
  parts.defer(() => nodes.close())
  const diskCare = new DiskCare(environments, () => freeShareOf(dataDir), logger)
  parts.defer(() => diskCare.stop())
  const artifacts = createArtifacts({ dataDir, cacheBytes: config.cacheBytes })
  parts.defer(() => artifacts.close())
  const socketDir = join(dataDir, 'run')
  // Sockets of a server that was killed.
  await rm(socketDir, { recursive: true, force: true })
  const { hosts, privateNetworks } = config.sources.git
  const reach = { ...gitReach(hosts.map(parseGitHost)), maximum: 'allowlist' as const, privateNetworks }
  const sources = createSources(config, { ...store, workers, egress: createEgress({ socketDir, ...reach }) })
  parts.defer(() => sources[Symbol.asyncDispose]())
  return {
    ...store,
    memory,
    sources,
    workers,
    environments,
    nodes,
    artifacts,
    events: createEventBus(),
    socketDir,
  }
}

/** Each of them may be in use at once. */
function workerPlaces({ build, sessions, servers, poolSize }: Config): number {
  const extra = SPARE_SLOTS + REPLACEMENT_SLOTS + GIT_WORKERS
  return build.concurrency + sessions.max + servers.max + poolSize + extra
}

type Stages = Awaited<ReturnType<typeof openStages>>

/** Sessions and the pipeline, which drive the stages. */
function joinStages(config: Config, logger: Logger, parts: AsyncDisposableStack, stages: Stages) {
  const { dataDir, build } = config
  const onError = (error: unknown, what: string) => logger.error({ err: error }, what)
  const addresses = new Addresses(config)
  const viewers = createViewers()
  const requests = new SeenRequests()
  const egress = createEgress({ ...config.egress, socketDir: stages.socketDir })
  const sessions = createSessions({
    ...stages,
    ...config.sessions,
    dataDir,
    requests,
    leftBytes: () => stages.memory.leftBytes(),
    viewers,
    egress,
    plan: (snapshot, settings) => planDev(snapshot, settings, config),
    processes: build.processes,
    logBytes: build.logBytes,
    onLog: (project, line) => pipeline.sessionLog(project, line),
    onError,
  })
  parts.defer(() => sessions.close())
  const appServers = createAppServers({
    ...stages,
    ...config.servers,
    egress,
    variables: ({ env }) => allowedVariables(env, config.allowedEnv),
    processes: build.processes,
    logBytes: build.logBytes,
    onLog: (project, line) => pipeline.sessionLog(project, line, 'server'),
    onError,
  })
  parts.defer(() => appServers.close())
  const pipeline = createPipeline({
    ...stages,
    sessions,
    appServers,
    viewers,
    logs: new BuildLogs({ dataDir, logBytes: build.logBytes }),
    config,
    urls: (project) =>
      addresses.of(project, Object.keys(stages.projects.get(project)?.settings.envSets ?? {})),
    onError,
  })
  return { addresses, requests, viewers, sessions, appServers, pipeline }
}

type Joined = Stages & ReturnType<typeof joinStages> & { isDraining: () => boolean }

/** The gateway and the API, behind one listener. */
async function listen(config: Config, logger: Logger, parts: AsyncDisposableStack, joined: Joined) {
  const { pipeline, addresses, isDraining } = joined
  const grants = openGrants(join(config.dataDir, 'grants'))
  const names = createOriginPolicy(config)
  const authenticate = createAuthenticate({ apiKey: config.apiKey, keys: joined.keys })
  const ownPorts = new Set<number>()
  const gateway = createGateway({
    ...joined,
    grants,
    wake: (project) => joined.sessions.wake(project),
    status: (project) => pipeline.status(project),
    isEditor: (request) => isKeylessLoopback(config, request),
    isOwnKey: (authorization) => authenticate(authorization) !== undefined,
    backends: {
      ...config.proxy,
      requestsPerProject: config.proxy.requests,
      bodyBytes: config.limits.bodyBytes,
      isOwnPort: (port) => ownPorts.has(port),
    },
    envSet: (project, name) => pipeline.variants.envSet(project, name),
    variant: (project, buildId) => pipeline.variants.get(project, buildId),
    previewDomain: () => addresses.previewDomain,
    pathMode: config.pathMode,
    frameAncestors: config.frameAncestors,
    allowsHost: (host) => names.allowsHost(host),
    apiPaths: API_PATHS,
    logger,
  })
  const upgrades = new EventEmitter()
  const api = await createApi({
    ...joined,
    grants,
    config,
    logger,
    serverFactory: (answer) => createFrontServer({ gateway, api: answer, upgrades, isDraining }),
    upgrades,
  })
  parts.defer(() => closeWithConnections(api.server, () => api.close()))
  const url = await api.listen({ host: config.host, port: config.port })
  addresses.listeningAt(url)
  ownPorts.add(Number(new URL(url).port || 80))
  const paths = config.pathMode === 'same-origin' ? await listenForPaths(gateway, config) : undefined
  if (paths) {
    parts.defer(() => paths.close())
    addresses.pathsListeningAt(paths.port)
    ownPorts.add(paths.port)
  }
  return { gateway, url }
}

/** Without a key, who sits at this machine may do everything; what a proxy in front passes on comes from elsewhere. */
function isKeylessLoopback({ apiKey }: Config, request: IncomingMessage): boolean {
  if (apiKey !== undefined || request.headers['x-forwarded-for'] !== undefined) return false
  return isLoopback(request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '')
}
