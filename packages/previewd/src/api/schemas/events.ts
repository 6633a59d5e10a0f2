import { z } from 'zod'
import { build, reportedDiagnostic, session, status } from './build.ts'
import { change } from './changes.ts'
import { time } from './common.ts'

export const EVENT_TYPES = ['status', 'revision', 'build', 'session', 'log', 'diagnostic', 'console'] as const

export const logLine = z
  .object({ at: time, stream: z.enum(['stdout', 'stderr']), text: z.string() })
  .meta({ id: 'LogLine' })

export const log = z.object({ build: z.string().nullable(), lines: z.array(logLine) }).meta({ id: 'Log' })

const id = z
  .number()
  .int()
  .exactOptional()
  .meta({ description: 'Grows, also across restarts; the first status of a stream has none' })

const of = <T extends string, D extends z.ZodType>(type: T, data: D) =>
  z.object({ id, type: z.literal(type), data })

const revisionApplied = z.object({
  revision: z.number().int(),
  changed: z.array(change).meta({ description: 'The first of them, where there are many' }),
  total: z.number().int(),
})

const sessionChanged = session.extend({
  kind: z
    .enum(['none', 'hmr', 'reload', 'restart'])
    .exactOptional()
    .meta({ description: 'How a new revision came to the open pages' }),
  errors: z.array(reportedDiagnostic).exactOptional(),
})

const logWritten = z.object({
  buildId: z.string().exactOptional(),
  session: z.literal(true).exactOptional(),
  server: z.literal(true).exactOptional().meta({ description: 'Of the server that a build has' }),
  lines: z.array(logLine),
  skipped: z.number().int().exactOptional().meta({ description: 'Lines that came too fast to be told' }),
})

const diagnosed = z.object({
  buildId: z.string().exactOptional(),
  revision: z.number().int(),
  diagnostics: z.array(reportedDiagnostic),
})

const streamFailed = z.object({ reason: z.literal('lagged'), message: z.string() })

/** What `/events` sends; documentation: events are made where things happen, and tests hold them to this. */
export const projectEvent = z
  .discriminatedUnion('type', [
    of('status', status),
    of('revision', revisionApplied),
    of('build', build.omit({ diagnostics: true, timings: true, project: true })),
    of('session', sessionChanged),
    of('log', logWritten),
    of('diagnostic', diagnosed),
    of('console', z.unknown()),
    of('error', streamFailed),
  ])
  .meta({ id: 'ProjectEvent', description: 'One thing that happened to a project' })

/** What `/logs?follow=1` sends: the lines, then one `end`. */
export const logEvent = z
  .discriminatedUnion('type', [
    of('log', logLine),
    of('end', z.object({ build: z.string().nullable(), state: build.shape.state.nullable() })),
  ])
  .meta({ id: 'LogEvent' })
