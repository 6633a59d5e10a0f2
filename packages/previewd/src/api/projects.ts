import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Project } from '../model/project.ts'
import { type ApiContext, requireProject, type ZodApp } from './context.ts'
import { pageOf, pageQuery, problems, projectParams } from './schemas/common.ts'
import { project, projectWithStatus, settingsInput } from './schemas/project.ts'
import { resolveSettings } from './settings.ts'
import { projectView } from './view.ts'

const tags = ['Projects']

/** Projects and their settings. */
export function projectRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    putRoute(app, context)
    listRoute(app, context)
    getRoute(app, context)
    deleteRoute(app, context)
  }
}

function viewWithStatus(context: ApiContext, id: string) {
  const status = context.pipeline.status(id)
  return { ...projectView(requireProject(context, id), status), status }
}

function putRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'PUT',
    url: '/v1/projects/:id',
    config: { invalidBody: 'SETTINGS_INVALID' },
    schema: {
      operationId: 'putProject',
      tags,
      summary: 'Create a project or change its settings',
      params: projectParams,
      body: settingsInput.nullish(),
      response: { 200: projectWithStatus, 201: projectWithStatus, ...problems },
    },
    handler: async (request, reply) => {
      const { id } = request.params
      const settings = resolveSettings(context, request.principal, id, request.body ?? {})
      const { created } = context.pipeline.putProject(id, settings)
      if (created) reply.header('location', `/v1/projects/${id}`)
      return reply.code(created ? 201 : 200).send(viewWithStatus(context, id))
    },
  })
}

function listRoute(app: ZodApp, { pipeline, projects }: ApiContext): void {
  const view = (item: Project) => projectView(item, pipeline.status(item.id))
  app.route({
    method: 'GET',
    url: '/v1/projects',
    config: { access: 'any' },
    schema: {
      operationId: 'listProjects',
      tags,
      summary: 'List projects, newest activity first',
      querystring: pageQuery,
      response: { 200: pageOf(project).meta({ id: 'ProjectPage' }), ...problems },
    },
    handler: async (request) => {
      const scope = request.principal?.scope
      if (scope?.kind === 'project') {
        const own = projects.get(scope.project)
        return { items: own ? [view(own)] : [], nextCursor: null }
      }
      const { limit, cursor } = request.query
      const page = projects.list({ limit, ...(cursor !== undefined && { cursor }) })
      return { items: page.items.map(view), nextCursor: page.nextCursor }
    },
  })
}

function getRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/v1/projects/:id',
    schema: {
      operationId: 'getProject',
      tags,
      summary: 'One project, with its status',
      params: projectParams,
      response: { 200: projectWithStatus, ...problems },
    },
    handler: async (request) => {
      requireProject(context, request.params.id)
      return viewWithStatus(context, request.params.id)
    },
  })
}

function deleteRoute(app: ZodApp, context: ApiContext): void {
  const { pipeline, grants, events, idempotency } = context
  app.route({
    method: 'DELETE',
    url: '/v1/projects/:id',
    schema: {
      operationId: 'deleteProject',
      tags,
      summary: 'Delete a project: its files, builds, previews and grants',
      params: projectParams,
      response: { 204: z.undefined().describe('Deleted'), ...problems },
    },
    handler: async (request, reply) => {
      const { id } = request.params
      requireProject(context, id)
      await pipeline.deleteProject(id)
      grants.revokeAll(id)
      events.forget(id)
      idempotency.forget(id)
      return reply.code(204).send()
    },
  })
}
