import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { Project } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'
import { requireAccess } from './auth.ts'
import type { ApiContext } from './context.ts'
import { logText } from './logs.ts'
import { problems } from './schemas/common.ts'

const tags = ['Original calls']
const config = { access: 'any', legacy: true } as const
const params = z.object({ id: z.string().max(200).meta({ description: 'Project id, or its externalId' }) })

const buildState = z.object({
  status: z.enum(['building', 'ready', 'error']),
  build_id: z.string().exactOptional(),
  revision: z.number().int(),
  error: z.string().exactOptional(),
  url: z.string(),
})

const syncAnswer = z.object({
  status: z.enum(['building', 'no_changes']),
  changes: z.array(z.string()).exactOptional(),
})

/** The calls of the first plan, for platforms written against it; new clients use /v1. */
export function legacyRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { pipeline, projects, builds, files } = context

  function find(request: Parameters<typeof requireAccess>[0], id: string): Project {
    const project = projects.get(id) ?? projects.findByExternalId(id)
    requireAccess(request, project?.id)
    if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
    return project
  }

  return async (app) => {
    app.route({
      method: 'POST',
      url: '/sync-project/:id',
      config,
      schema: {
        tags,
        summary: 'Fetch the files that changed',
        params,
        body: z
          .object({ changed_files: z.array(z.object({ path: z.string(), type: z.string().optional() })) })
          .partial()
          .nullish(),
        response: { 200: syncAnswer, ...problems },
      },
      handler: async (request) => {
        const project = find(request, request.params.id)
        const known = await files.manifest(project.id)
        const named = request.body?.changed_files ?? []
        const missing = named.find(({ path }) => !known.files.has(path))
        if (missing || named.length === 0) {
          throw new PreviewdError(
            'SOURCE_NOT_SUPPORTED',
            'This project has no source to fetch files from: push them to /v1/projects/{id}/changes.',
          )
        }
        // Whoever pushes the files and then calls this, as the plan does, is told how far they are.
        const status = plainState(pipeline.status(project.id))
        if (status !== 'building') return { status: 'no_changes' as const }
        return { status, changes: named.map(({ path }) => path) }
      },
    })

    for (const url of ['/build/:id', '/api/build/:id']) {
      app.route({
        method: 'POST',
        url,
        config,
        schema: { tags, summary: 'Start a build', params, response: { 200: buildState, ...problems } },
        handler: async (request) => {
          const project = find(request, request.params.id)
          await pipeline.requestBuild(project.id, {})
          return describe(pipeline.status(project.id))
        },
      })
    }

    app.route({
      method: 'GET',
      url: '/api/build/:id/status',
      config,
      schema: { tags, summary: 'How the build is', params, response: { 200: buildState, ...problems } },
      handler: async (request) => describe(pipeline.status(find(request, request.params.id).id)),
    })

    app.route({
      method: 'GET',
      url: '/logs/:id',
      config,
      schema: {
        tags,
        summary: 'The log of the newest build',
        params,
        response: {
          200: { description: 'The log', content: { 'text/plain': { schema: z.unknown() } } },
          ...problems,
        },
      },
      handler: async (request, reply) => {
        const project = find(request, request.params.id)
        const buildId = builds.newest(project.id)?.id
        const log = buildId === undefined ? undefined : await pipeline.log(project.id, { buildId })
        return reply.type('text/plain; charset=utf-8').send(logText(log))
      },
    })
  }
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
