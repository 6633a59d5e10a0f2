import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { Project } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'
import { requireAccess } from './auth.ts'
import type { ApiContext, ZodApp } from './context.ts'
import { logText } from './logs.ts'
import { problems } from './schemas/common.ts'

const tags = ['Original calls']
const config = { access: 'any', legacy: true } as const
const params = z.object({ id: z.string().max(200).meta({ description: 'Project id, or its externalId' }) })

const buildState = z
  .object({
    status: z.enum(['building', 'ready', 'error']),
    build_id: z.string().exactOptional(),
    revision: z.number().int(),
    error: z.string().exactOptional(),
    url: z.string(),
  })
  .meta({ id: 'LegacyBuildStatus' })

const syncBody = z
  .object({ changed_files: z.array(z.object({ path: z.string(), type: z.string().optional() })) })
  .partial()
  .meta({ id: 'LegacySync' })
  .nullish()

const syncAnswer = z
  .object({
    status: z.enum(['building', 'no_changes']),
    changes: z.array(z.string()).exactOptional(),
  })
  .meta({ id: 'LegacySyncAnswer' })

/** The calls of the first plan, for platforms written against it; new clients use /v1. */
export function legacyRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    syncRoute(app, context)
    buildRoute(app, context, '/build/:id', 'legacyBuild')
    buildRoute(app, context, '/api/build/:id', 'legacyApiBuild')
    statusRoute(app, context)
    logRoute(app, context)
  }
}

function find({ projects }: ApiContext, request: FastifyRequest, id: string): Project {
  const project = projects.get(id) ?? projects.findByExternalId(id)
  requireAccess(request, project?.id)
  if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
  return project
}

function syncRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/sync-project/:id',
    config,
    schema: {
      operationId: 'legacySync',
      tags,
      summary: 'Fetch the files that changed',
      params,
      body: syncBody,
      response: { 200: syncAnswer, ...problems },
    },
    handler: async (request) => {
      const project = find(context, request, request.params.id)
      const known = await context.files.manifest(project.id)
      const named = request.body?.changed_files ?? []
      const missing = named.find(({ path }) => !known.files.has(path))
      if (missing || named.length === 0) {
        throw new PreviewdError(
          'SOURCE_NOT_SUPPORTED',
          'This project has no source to fetch files from: push them to /v1/projects/{id}/changes.',
        )
      }
      // Whoever pushes the files and then calls this, as the plan does, is told how far they are.
      const status = plainState(context.pipeline.status(project.id))
      if (status !== 'building') return { status: 'no_changes' as const }
      return { status, changes: named.map(({ path }) => path) }
    },
  })
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
      const project = find(context, request, request.params.id)
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
      describe(context.pipeline.status(find(context, request, request.params.id).id)),
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
      const { id } = find(context, request, request.params.id)
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
