import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { PreviewdError } from '../errors.ts'
import type { Build } from '../model/build.ts'
import type { Project } from '../model/project.ts'
import type { Idempotency } from './idempotency.ts'
import type { ApiOptions } from './options.ts'

/** What every route file is given. */
export interface ApiContext extends ApiOptions {
  idempotency: Idempotency
  /** Aborted when the server closes: ends the streams that would hold it open. */
  closing: AbortSignal
}

/** A Fastify instance whose routes are typed by their schemas. */
export type ZodApp = Parameters<FastifyPluginAsyncZod>[0]

export function requireProject({ projects }: ApiOptions, id: string): Project {
  const project = projects.get(id)
  if (!project) throw new PreviewdError('PROJECT_NOT_FOUND', `There is no project ${id}.`)
  return project
}

export function requireBuild({ builds }: ApiOptions, project: string, buildId: string): Build {
  const build = /^[a-z0-9]{12}$/.test(buildId) ? builds.get(project, buildId) : undefined
  if (!build) throw new PreviewdError('BUILD_NOT_FOUND', 'The project has no such build.')
  return build
}
