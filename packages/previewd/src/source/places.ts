import { PreviewdError } from '../errors.ts'
import type { SourceOwner } from '../model/source.ts'

const PLACE = /^(azure-blob|s3):([a-z0-9$][a-z0-9.-]{1,62})(?:\/(.*))?$/
/** The part of a prefix that makes it a project's own: a whole segment, so that no id begins another one. */
const OWN_SEGMENT = /(?:^|\/)\{(projectId|externalId)\}\//
const DEFAULT_PREFIX = '{projectId}/frontend/'
/** An id that stands in a prefix must not lead elsewhere in it. */
const SEGMENT = /^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u

/** A container or bucket that projects may be fetched from, and where in it each has its files. */
export interface Place {
  kind: 'azure-blob' | 's3'
  /** Container or bucket. */
  container: string
  /** With `{projectId}` or `{externalId}` as a whole segment; ends with `/`. */
  prefix: string
}

/** Reads `kind:container[/prefix]`; throws an Error that says how it is written. */
export function parsePlace(text: string): Place {
  const [, kind, container, prefix = ''] = PLACE.exec(text) ?? []
  const place = { kind, container, prefix: prefix === '' ? DEFAULT_PREFIX : prefix } as Place
  if (kind !== undefined && OWN_SEGMENT.test(place.prefix) && place.prefix.endsWith('/')) return place
  throw new Error(
    `PREVIEWD_SOURCES: "${text}" has to be azure-blob:CONTAINER or s3:BUCKET, and may go on with a prefix that ends with / and has {projectId} or {externalId} as one of its folders.`,
  )
}

export function followsExternalId({ prefix }: Place): boolean {
  return prefix.includes('{externalId}')
}

/** The prefix of this project; throws SETTINGS_INVALID where the place asks for an external id that it does not have. */
export function prefixOf({ prefix }: Place, { id, externalId }: SourceOwner): string {
  return prefix.replaceAll(/\{(projectId|externalId)\}/g, (_, name: string) => {
    const value = name === 'projectId' ? id : externalId
    if (value !== undefined && SEGMENT.test(value)) return value
    throw invalidPlace('prefix', 'this place needs an externalId, and one that can be the name of a folder')
  })
}

/** Whether a prefix is that of the project or below it. */
export function isWithin(prefix: string, own: string): boolean {
  return prefix.startsWith(own) && !prefix.split('/').includes('..')
}

export function invalidPlace(member: string, message: string): PreviewdError {
  const path = `source.${member}`
  return new PreviewdError('SETTINGS_INVALID', `${path}: ${message}`, {
    extra: { errors: [{ path, message }] },
  })
}
