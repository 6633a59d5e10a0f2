import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { ProjectStatus } from '../model/status.ts'
import type { ApiContext, ZodApp } from './context.ts'
import {
  legacyConfig as config,
  findByAnyId,
  legacyParams as params,
  legacyTags as tags,
} from './legacy-calls.ts'
import { legacySyncRoute } from './legacy-sync.ts'
import { logText } from './logs.ts'
import { problems } from './schemas/common.ts'

const buildState = z
  .object({
    status: z.enum(['building', 'ready', 'error']),
    build_id: z.string().exactOptional(),
    revision: z.number().int(),
    error: z.string().exactOptional(),
    url: z.string(),
  })
  .meta({ id: 'LegacyBuildStatus' })

/** The calls of the first plan, for platforms written against it; new clients use /v1. */
export function legacyRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    legacySyncRoute(app, context)
    buildRoute(app, context, '/build/:id', 'legacyBuild')
    buildRoute(app, context, '/api/build/:id', 'legacyApiBuild')
    statusRoute(app, context)
    logRoute(app, context)
  }
}

function buildRoute(app: ZodApp, context: ApiContext, url: string, operationId: string): void {
  app.route({
    method: 'POST',
    url,
    config,
    schema: {
      operationId,
      tags,
      summary: 'Start a build',
      params,
      response: { 200: buildState, ...problems },
    },
    handler: async (request) => {
      const project = findByAnyId(context, request, request.params.id)
      await context.pipeline.requestBuild(project.id, {})
      return describe(context.pipeline.status(project.id))
    },
  })
}

function statusRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/build/:id/status',
    config,
    schema: {
      operationId: 'legacyBuildStatus',
      tags,
      summary: 'How the build is',
      params,
      response: { 200: buildState, ...problems },
    },
    handler: async (request) =>
      describe(context.pipeline.status(findByAnyId(context, request, request.params.id).id)),
  })
}

function logRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/logs/:id',
    config,
    schema: {
      operationId: 'legacyLogs',
      tags,
      summary: 'The log of the newest build',
      params,
      response: {
        200: { description: 'The log', content: { 'text/plain': { schema: z.unknown() } } },
        ...problems,
      },
    },
    handler: async (request, reply) => {
      const { id } = findByAnyId(context, request, request.params.id)
      const buildId = context.builds.newest(id)?.id
      const log = buildId === undefined ? undefined : await context.pipeline.log(id, { buildId })
      return reply.type('text/plain; charset=utf-8').send(logText(log))
    },
  })
}

function plainState({ state }: ProjectStatus): 'building' | 'ready' | 'error' {
  switch (state) {
    case 'ready':
    case 'error':
      return state
    case 'empty':
      return 'error'
    case 'queued':
    case 'installing':
    case 'building':
      return 'building'
  }
}

function describe(now: ProjectStatus) {
  const status = plainState(now)
  const [first] = now.diagnostics.filter(({ severity }) => severity === 'error')
  const error =
    now.state === 'empty' ? 'The project has no files yet' : (first?.message ?? 'The build failed')
  return {
    status,
    revision: now.revision,
    url: now.urls.path,
    ...(now.build && { build_id: now.build.id }),
    ...(status === 'error' && { error }),
  }
}
