import { PreviewdError } from '../errors.ts'
import type { SourceOwner } from '../model/source.ts'
import { invalidPlace, isWithin, type Place, prefixOf } from './places.ts'
import type { RequestWaits } from './retry.ts'

/** Of a listing: more than a container that is no mistake has below one prefix, some of them left out. */
export const MAX_PAGES = 10_000

/** What the sources of object stores are given. */
export interface ObjectSourceOptions extends RequestWaits {
  container: string
  /** Ends with `/`, or is empty. */
  prefix: string
}

/** Container and prefix as a client gives them; what is missing comes from the operator's places. */
export interface AskedPlace {
  container: string | undefined
  prefix: string | undefined
}

/**
 * Decides which place a project gets. Containers are those that the operator named. Its prefix is the one that the
 * operator's template gives, or below that; whoever administers the server may set any, such as one that several share.
 */
export function resolvePlace(
  places: readonly Place[],
  { container, prefix }: AskedPlace,
  owner: SourceOwner,
): { container: string; prefix: string } {
  const [first] = places
  if (first === undefined) {
    throw new PreviewdError('SOURCE_NOT_SUPPORTED', 'This server has no sources of that kind.')
  }
  const named = places.filter((place) => place.container === (container ?? first.container))
  const [place] = named
  if (place === undefined) throw invalidPlace('container', 'the operator did not name it in PREVIEWD_SOURCES')
  if (prefix === undefined) return { container: place.container, prefix: prefixOf(place, owner) }
  const folder = prefix.endsWith('/') || prefix === '' ? prefix : `${prefix}/`
  const isOwn = () => named.some((candidate) => isWithin(folder, prefixOf(candidate, owner)))
  if (owner.isTrusted || isOwn()) return { container: place.container, prefix: folder }
  throw invalidPlace('prefix', 'it is not that of this project; a key that administers the server may set it')
}

/** Throws SOURCE_NOT_SUPPORTED for a container that the operator did not name, or no longer names. */
export function checkNamed(places: readonly Place[], container: string): void {
  if (places.some((place) => place.container === container)) return
  throw new PreviewdError(
    'SOURCE_NOT_SUPPORTED',
    `The operator of this server does not name ${container} in PREVIEWD_SOURCES.`,
  )
}

export function endlessListing(service: string): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', `${service} does not end its listing.`)
}
