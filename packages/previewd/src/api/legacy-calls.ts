import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { Project } from '../model/project.ts'
import { requireAccess } from './auth.ts'
import type { ApiContext } from './context.ts'

/** What the plan's original calls have in common. */
export const legacyTags = ['Original calls']
export const legacyConfig = { access: 'any', legacy: true } as const
export const legacyParams = z.object({
  id: z.string().max(200).meta({ description: 'Project id, or its externalId' }),
})

/** The project of that id or external id; throws PROJECT_NOT_FOUND to those who may see all, FORBIDDEN to others. */
export function findByAnyId({ projects }: ApiContext, request: FastifyRequest, id: string): Project {
  const project = projects.get(id) ?? projects.findByExternalId(id)
  requireAccess(request, project?.id)
  if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
  return project
}
