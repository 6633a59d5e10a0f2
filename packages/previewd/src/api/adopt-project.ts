import { hash } from 'node:crypto'
import { DEFAULT_SETTINGS, type Project } from '../model/project.ts'
import { isProjectId } from '../model/project-id.ts'
import type { ApiContext } from './context.ts'

const FOLDER = /^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u
const HASH_LENGTH = 8
const READABLE_LENGTH = 30

/**
 * Makes a project that a platform names for the first time, where the operator's first place has files for it;
 * undefined where it has none. Only for callers who may administer the server: the name decides what is read.
 */
export async function adoptProject(context: ApiContext, platformId: string): Promise<Project | undefined> {
  const { sources, pipeline, closing } = context
  // It becomes a folder in a prefix.
  if (!FOLDER.test(platformId)) return undefined
  const source = sources.forUnknown({ id: platformId, externalId: platformId, isTrusted: true })
  if (!source) return undefined
  const id = isProjectId(platformId) ? platformId : derivedId(platformId)
  const settings = { source, externalId: platformId }
  const now = new Date().toISOString()
  await using opened = await sources.open({
    id,
    settings: { ...DEFAULT_SETTINGS, ...settings },
    revision: 0,
    createdAt: now,
    activeAt: now,
  })
  for await (const _ of opened.list(closing)) return pipeline.putProject(id, settings).project
  return undefined
}

/** A DNS label for an id that is none: what of it can be read, and a hash that keeps it from being another's. */
function derivedId(platformId: string): string {
  const readable = platformId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE_LENGTH)
    .replaceAll(/^-|-$/g, '')
  return `${readable || 'p'}-${hash('sha256', platformId).slice(0, HASH_LENGTH)}`
}
