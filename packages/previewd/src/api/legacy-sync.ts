import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { Project } from '../model/project.ts'
import { adoptProject } from './adopt-project.ts'
import type { ApiContext, ZodApp } from './context.ts'
import {
  legacyConfig as config,
  findByAnyId,
  legacyParams as params,
  legacyTags as tags,
} from './legacy-calls.ts'
import { problems } from './schemas/common.ts'

const FRONTEND = 'frontend'
const BACKEND = 'backend'
/** Of paths that a tool wrote with the folder that it works in. */
const LEADING = /^(?:\.?\/)+/

const changedFile = z.object({
  path: z.string(),
  type: z.string().optional().meta({ description: '`frontend` (the default) or `backend`' }),
})
type ChangedFile = z.output<typeof changedFile>

const body = z
  .object({ changed_files: z.array(changedFile) })
  .partial()
  .meta({ id: 'LegacySync' })
  .nullish()

const answer = z
  .object({
    status: z.enum(['building', 'no_changes']),
    changes: z.array(z.string()).exactOptional(),
  })
  .meta({ id: 'LegacySyncAnswer' })
type Answer = z.output<typeof answer>

/** `POST /sync-project/{id}`: the call that a platform makes after each stream of a model. */
export function legacySyncRoute(app: ZodApp, context: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/sync-project/:id',
    config,
    schema: {
      operationId: 'legacySync',
      tags,
      summary: 'Fetch the files that changed; a project that is new is fetched whole',
      params,
      body,
      response: { 200: answer, ...problems },
    },
    handler: async (request) => {
      const project = await findOrAdopt(context, request, request.params.id)
      const named = request.body?.changed_files
      return project.settings.source.kind === 'push'
        ? describePushed(context, project, named ?? [])
        : syncFromSource(context, project, named)
    },
  })
}

async function findOrAdopt(context: ApiContext, request: FastifyRequest, id: string): Promise<Project> {
  try {
    return findByAnyId(context, request, id)
  } catch (error) {
    if (!(error instanceof PreviewdError) || error.code !== 'PROJECT_NOT_FOUND') throw error
    const adopted = await adoptProject(context, id)
    if (!adopted) throw error
    return adopted
  }
}

async function syncFromSource(
  { pipeline }: ApiContext,
  { id, settings }: Project,
  named: ChangedFile[] | undefined,
): Promise<Answer> {
  const paths = named?.flatMap((file) => sourcePaths(file, settings.root))
  const { changed } = await pipeline.sync(id, paths ? { paths } : {})
  if (changed.length === 0) return { status: 'no_changes' }
  return { status: 'building', changes: changed.map(({ path }) => path) }
}

/**
 * Where a file that a platform names may be in the project's source; the source knows which of them is there. Where the
 * project is the front end alone, its back end's files are none of it: they stay where they are.
 */
function sourcePaths({ path: named, type }: ChangedFile, root: string): string[] {
  const path = named.replace(LEADING, '')
  const folder = type === BACKEND ? BACKEND : root || FRONTEND
  const isBelow = path.startsWith(`${folder}/`)
  if (root !== '') return [isBelow ? path : `${folder}/${path}`]
  if (type === BACKEND) return []
  return isBelow ? [path, path.slice(folder.length + 1)] : [path]
}

/** Whoever pushes the files and then calls this, as the plan does, is told how far they are. */
async function describePushed(
  { pipeline, files }: ApiContext,
  { id, settings }: Project,
  named: ChangedFile[],
): Promise<Answer> {
  const known = await files.manifest(id)
  const built = named.filter(({ type }) => type !== BACKEND)
  const isMissing = (file: ChangedFile) =>
    !known.files.has(file.path) && !sourcePaths(file, settings.root).some((path) => known.files.has(path))
  if (named.length === 0 || built.some(isMissing)) {
    throw new PreviewdError(
      'SOURCE_NOT_SUPPORTED',
      'This project has no source to fetch files from: push them to /v1/projects/{id}/changes.',
    )
  }
  const { state } = pipeline.status(id)
  const isBuilding = state === 'queued' || state === 'installing' || state === 'building'
  if (!isBuilding || built.length === 0) return { status: 'no_changes' }
  return { status: 'building', changes: built.map(({ path }) => path) }
}
