import type { BuildRun } from '../build/build-run.ts'
import { chooseNode } from '../build/choose-node.ts'
import { detect } from '../build/detect.ts'
import { runBuild } from '../build/execute.ts'
import type { LiveLog } from '../build/live-log.ts'
import { type BuildPlan, hasViteTask, modeWarnings, planBuild } from '../build/plan.ts'
import { redactDiagnostic, redactor } from '../build/redact.ts'
import { refine } from '../build/refine.ts'
import { PreviewdError } from '../errors.ts'
import { serverId } from '../model/app-server.ts'
import type { Build } from '../model/build.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Environment, NodeProgram } from '../model/environment.ts'
import type { Snapshot } from '../model/files.ts'
import type { NodeChoice } from '../model/node-version.ts'
import { DEFAULT_SETTINGS, type ProjectSettings } from '../model/project.ts'
import type { LogLine } from '../model/worker.ts'
import type { Afterwork } from './afterwork.ts'
import type { Announcer } from './announce.ts'
import { envSetBuilds, envSetIds, noteUnbuiltSets, secretsOf } from './env-sets.ts'
import { LogEvents } from './log-events.ts'
import { openArtifact } from './open-artifact.ts'
import type { PipelineParts } from './parts.ts'
import { publishNewer } from './publish.ts'
import { retain } from './retain.ts'
import type { Rest, Ticket } from './scheduler.ts'
import { variantBase, variantId } from './variant.ts'

/** Why a run is aborted when the server ends: its build stays unfinished and is taken up at the next start. */
export const SHUTDOWN = 'shutdown'

export interface BuildTicket extends Ticket {
  build: Build
}

export interface RunParts {
  parts: PipelineParts
  announcer: Announcer
  afterwork: Afterwork
  /** Called as soon as it is known which revision is built. */
  onRevision: (ticket: BuildTicket, revision: number) => void
  /** Builds whose checks are still to end. */
  checking: Set<string>
  /** See {@link RetainParts}. */
  removing: Set<string>
}

interface Step {
  ticket: BuildTicket
  signal: AbortSignal
  snapshot: Snapshot
  onLog: (line: LogLine) => void
}

/**
 * The way of one revision: files, environment, build, artifact, publish. Whatever goes wrong ends in the build's
 * record; this never rejects. What it resolves to goes on beside the next builds.
 */
export async function runTicket(
  context: RunParts,
  ticket: BuildTicket,
  signal: AbortSignal,
): Promise<Rest | undefined> {
  const resources = new AsyncDisposableStack()
  try {
    return await runWith(resources, context, ticket, signal)
  } catch (error) {
    context.parts.onError(error, `What became of build ${ticket.buildId} could not be kept.`)
    await tidyUp(resources, context.parts, ticket.build)
    return undefined
  }
}

async function runWith(
  resources: AsyncDisposableStack,
  context: RunParts,
  ticket: BuildTicket,
  signal: AbortSignal,
): Promise<Rest | undefined> {
  const { parts } = context
  const { project, build } = ticket
  const log = await parts.logs.open(project, build.id)
  const events = new LogEvents(parts.events, project, { buildId: build.id })
  resources.defer(async () => {
    events.flush()
    await parts.logs.close(project, build.id)
  })
  const redact = redactor(secretsOf(parts.projects.get(project)?.settings ?? DEFAULT_SETTINGS))
  const interruption = new AbortController()
  const step = {
    ticket,
    signal: AbortSignal.any([signal, interruption.signal]),
    onLog: (line: LogLine) => events.push(log.append({ ...line, text: redact(line.text) })),
  }
  const told = await buildRevision(resources, context, step)
  if (signal.reason === SHUTDOWN && told.state === 'canceled') {
    await tidyUp(resources, parts, build)
    return undefined
  }
  const hide = (found: Diagnostic[]) => found.map((diagnostic) => redactDiagnostic(diagnostic, redact))
  const run = { ...told, diagnostics: hide(told.diagnostics), rest: told.rest.then(hide) }
  // It is taken below, and must not count as unhandled until then.
  run.rest.catch(() => undefined)
  finish(context, build, run, log)
  return { done: finishRest(context, build, run, resources), interrupt: () => interruption.abort() }
}

async function buildRevision(
  resources: AsyncDisposableStack,
  context: RunParts,
  step: Omit<Step, 'snapshot'>,
): Promise<BuildRun> {
  try {
    const snapshot = resources.use(await context.parts.files.snapshot(step.ticket.project))
    context.onRevision(step.ticket, snapshot.revision)
    return await takeSteps(context, { ...step, snapshot })
  } catch (error) {
    return step.signal.aborted
      ? ended('canceled', [])
      : ended('failed', [failureOfServer(error, context.parts)])
  }
}

async function takeSteps(context: RunParts, step: Step): Promise<BuildRun> {
  const { parts, announcer } = context
  const { ticket, snapshot, signal, onLog } = step
  const { build } = ticket
  build.revision = snapshot.revision
  build.startedAt = new Date().toISOString()
  const settings = parts.projects.get(ticket.project)?.settings
  if (!settings) return ended('canceled', [])

  const detected = await detect(snapshot, settings)
  if (!detected.shape) return ended('failed', await refine(detected.diagnostics, snapshot))
  const plan = planBuild(detected.shape, settings, parts.config.allowedEnv)
  const chosen = await chooseNode(snapshot, detected.shape, settings, parts.config.nodes)
  const installed =
    plan.kind === 'static' ? nothingInstalled : await install(context, step, plan.root, chosen.node)
  if (signal.aborted) return ended('canceled', [])
  const warnings = [...detected.diagnostics, ...chosen.diagnostics, ...modeWarnings(plan, settings)]
  const found = [...warnings, ...installed.diagnostics]
  if (!installed.ok) return ended('failed', await refine(found, snapshot))

  build.state = 'building'
  announcer.changed(build)
  void parts.logs.setStatus(ticket.project, 'building')
  const startedMs = performance.now()
  const run = await execute(context, step, plan, installed, settings)
  build.timings.buildMs = Math.round(performance.now() - startedMs)
  if (run.state === 'succeeded') found.push(...noteUnbuiltSets(build, plan, run, settings))
  onLog({ stream: 'stdout', text: `Build ${run.state.replaceAll('_', ' ')} in ${build.timings.buildMs} ms.` })
  return { ...run, diagnostics: await refine([...found, ...run.diagnostics], snapshot) }
}

interface Installed {
  environment: Environment | null
  node?: NodeProgram | undefined
}

const nothingInstalled = { ok: true as const, environment: null, node: undefined, diagnostics: [] }

async function install(
  { parts, announcer }: RunParts,
  step: Step,
  root: string,
  choice: NodeChoice | undefined,
) {
  const { ticket, snapshot, signal, onLog } = step
  const { build } = ticket
  const startedMs = performance.now()
  const begin = (): void => {
    if (build.state !== 'queued') return
    build.state = 'installing'
    announcer.changed(build)
  }
  if (choice) begin()
  const found = await parts.nodes.prepare(choice, signal)
  if (!found.ok) return found
  const { node } = found
  if (choice && node) {
    build.nodeMajor = choice.major
    onLog({ stream: 'stdout', text: `Node ${node.version}` })
  }
  const result = await parts.environments.prepare(snapshot, {
    root,
    nodeVersion: node?.version,
    signal,
    onLog: (text) => onLog({ stream: 'stdout', text }),
    onProgress: (progress) => {
      begin()
      announcer.progressed(ticket.project, progress)
    },
  })
  build.timings.installMs = Math.round(performance.now() - startedMs)
  if (result.ok && result.environment) build.environment = result.environment.key
  return { ...result, node, diagnostics: [...found.diagnostics, ...result.diagnostics] }
}

async function execute(
  { parts }: RunParts,
  { ticket, snapshot, signal, onLog }: Step,
  plan: BuildPlan,
  { environment, node }: Installed,
  settings: ProjectSettings,
): Promise<BuildRun> {
  const { project, buildId } = ticket
  const { config, artifacts, workers } = parts
  const wantsVariant = config.pathMode !== 'redirect' && hasViteTask(plan)
  const writer = await artifacts.create(project, buildId)
  const variant = wantsVariant
    ? { base: variantBase(project), create: () => artifacts.create(project, variantId(buildId)) }
    : undefined
  return runBuild({
    snapshot,
    plan,
    environment,
    node,
    workers,
    limits: config.build,
    writer,
    createServer: () => artifacts.create(project, serverId(buildId)),
    variant,
    envSets: envSetBuilds(parts, ticket.build, settings),
    onLog,
    signal,
  })
}

function finish(context: RunParts, build: Build, run: BuildRun, log: LiveLog): void {
  const { parts, announcer, afterwork, checking } = context
  build.state = run.state
  build.diagnostics = run.diagnostics
  build.finishedAt = new Date().toISOString()
  build.durationMs = Date.parse(build.finishedAt) - Date.parse(build.startedAt ?? build.finishedAt)
  if (run.artifact) build.artifact = run.artifact
  if (run.server) build.server = run.server
  for (const { severity, message, file } of run.diagnostics) {
    log.append({ stream: 'stderr', text: `${severity}: ${file ? `${file}: ` : ''}${message}` })
  }
  if (run.state === 'succeeded') checking.add(build.id)
  // The record first: a server that is killed in between finds a good build that is not published, and mends that.
  announcer.changed(build, () => {
    if (run.state === 'succeeded') publishNewer(parts.projects, build)
  })
  announcer.diagnosed(build)
  const canceledOverGood =
    run.state === 'canceled' && parts.projects.get(build.project)?.published !== undefined
  void parts.logs.setStatus(build.project, run.state === 'succeeded' || canceledOverGood ? 'ready' : 'error')
  if (run.state === 'succeeded') afterwork.add(build.project, () => followUp(context, build))
}

async function followUp({ parts, removing }: RunParts, build: Build): Promise<void> {
  const { project, id } = build
  const { artifacts, config } = parts
  await retain({ ...parts, removing }, project, config.build.kept, Date.now())
  for (const artifactId of [id, variantId(id), ...envSetIds(build)]) {
    if (await openArtifact(artifacts, project, artifactId)) await artifacts.compress(project, artifactId)
  }
}

async function finishRest(
  context: RunParts,
  build: Build,
  run: BuildRun,
  resources: AsyncDisposableStack,
): Promise<void> {
  const { parts, announcer, afterwork, checking } = context
  try {
    build.diagnostics = [...build.diagnostics, ...(await run.rest)]
    checking.delete(build.id)
    if (run.state === 'succeeded') announcer.changed(build)
    if (build.diagnostics.length > run.diagnostics.length) announcer.diagnosed(build)
    // Once more, for what has come since.
    const hasMore = parts.config.pathMode !== 'redirect' || build.envSets !== undefined
    if (hasMore) afterwork.add(build.project, () => followUp(context, build))
  } catch (error) {
    parts.onError(error, `The checks of build ${build.id} failed.`)
  }
  checking.delete(build.id)
  await tidyUp(resources, parts, build)
}

async function tidyUp(resources: AsyncDisposableStack, parts: PipelineParts, build: Build): Promise<void> {
  try {
    await resources.disposeAsync()
  } catch (error) {
    parts.onError(error, `Build ${build.id} could not be tidied up.`)
  }
}

function ended(state: BuildRun['state'], diagnostics: Diagnostic[]): BuildRun {
  return { state, diagnostics, rest: Promise.resolve([]) }
}

function failureOfServer(error: unknown, parts: PipelineParts): Diagnostic {
  const known = error instanceof PreviewdError && error.code !== 'INTERNAL'
  if (!known) parts.onError(error, 'A build failed for a reason of the server.')
  return {
    origin: 'build',
    severity: 'error',
    code: known ? error.code : 'INTERNAL',
    message: known ? error.message : 'The server failed while it built this; the build can be tried again.',
  }
}
