import { z } from 'zod'
import { time } from './common.ts'

export const diagnostic = z
  .object({
    origin: z.enum(['install', 'config', 'build', 'transform', 'type', 'runtime', 'network']),
    severity: z.enum(['error', 'warning']),
    code: z.string().exactOptional(),
    message: z.string(),
    file: z.string().exactOptional().meta({ description: "Relative to the project's files" }),
    line: z.number().int().exactOptional().meta({ description: '1-based' }),
    column: z.number().int().exactOptional().meta({ description: '1-based' }),
    frame: z.string().exactOptional(),
    stack: z.string().exactOptional(),
    hint: z.string().exactOptional().meta({ description: 'What would mend it' }),
  })
  .meta({ id: 'Diagnostic', description: 'One problem. All text may be project-written: show it as text.' })

const timings = z.object({
  syncMs: z.number().exactOptional(),
  installMs: z.number().exactOptional(),
  buildMs: z.number().exactOptional(),
})

export const build = z
  .object({
    id: z.string(),
    project: z.string(),
    revision: z.number().int(),
    state: z.enum(['queued', 'installing', 'building', 'succeeded', 'failed', 'canceled', 'timed_out']),
    queuedAt: time,
    startedAt: time.exactOptional(),
    finishedAt: time.exactOptional(),
    durationMs: z.number().exactOptional(),
    artifact: z.object({ files: z.number().int(), bytes: z.number().int() }).exactOptional(),
    server: z
      .object({ framework: z.string() })
      .exactOptional()
      .meta({ description: 'Its pages are rendered by a server, which runs while somebody asks for them' }),
    diagnostics: z.array(diagnostic),
    timings,
    environment: z.string().exactOptional().meta({ description: 'Key of the dependencies it used' }),
    envSets: z
      .record(z.string(), z.enum(['succeeded', 'failed', 'same']))
      .exactOptional()
      .meta({ description: 'How it went with each env set, once the builds after the publish are done' }),
    nodeMajor: z
      .number()
      .int()
      .exactOptional()
      .meta({ description: 'Node that it ran with, where that was not the one of the server' }),
  })
  .meta({ id: 'Build', description: 'One run that makes an artifact' })

export const reportedDiagnostic = diagnostic
  .extend({ count: z.number().int(), revision: z.number().int() })
  .meta({ id: 'ReportedDiagnostic' })

export const session = z
  .object({
    state: z.enum(['off', 'starting', 'live', 'error']),
    revision: z.number().int().exactOptional().meta({ description: 'What the dev server has' }),
    viewers: z.number().int().meta({ description: 'Open pages of editors' }),
    startedAt: time.exactOptional(),
    startMs: z.number().int().exactOptional().meta({ description: 'Of the last start' }),
    pool: z
      .enum(['hit', 'miss'])
      .exactOptional()
      .meta({ description: 'Whether a worker was ready and waited for the last start' }),
    memoryBytes: z.number().exactOptional(),
    restarts: z.number().int().meta({ description: 'Crashes since it was started' }),
    reason: z
      .string()
      .exactOptional()
      .meta({ description: 'Why it is in error, starts again, or ended. May be project-written text' }),
  })
  .meta({ id: 'Session', description: 'A live dev server of a project' })

export const status = z
  .object({
    project: z.string(),
    revision: z.number().int(),
    state: z.enum(['empty', 'queued', 'installing', 'building', 'ready', 'error']),
    build: build.omit({ diagnostics: true, timings: true, project: true }).nullable(),
    published: z.object({ buildId: z.string(), revision: z.number().int() }).nullable(),
    session,
    server: z
      .object({ state: z.enum(['asleep', 'starting', 'live', 'failed']), reason: z.string().exactOptional() })
      .exactOptional()
      .meta({ description: 'The server of the published build, where its pages need one' }),
    painted: z
      .object({ revision: z.number().int(), at: time, errors: z.number().int(), visible: z.boolean() })
      .nullable()
      .meta({ description: 'What the newest page of an editor says of itself' }),
    urls: z.object({
      preview: z.string(),
      path: z.string(),
      envSets: z.record(z.string(), z.string()).exactOptional(),
    }),
    diagnostics: z.array(reportedDiagnostic),
    timings,
    progress: z
      .object({
        phase: z.enum(['resolving', 'fetching', 'linking']),
        done: z.number().int(),
        total: z.number().int().exactOptional(),
      })
      .exactOptional(),
  })
  .meta({ id: 'Status', description: 'How far a project is. `error` never takes the published build away.' })

export const diagnostics = z
  .object({
    revision: z.number().int(),
    state: status.shape.state,
    diagnostics: z.array(reportedDiagnostic),
  })
  .meta({ id: 'Diagnostics', description: 'What is wrong now, root cause first' })
