import { splitTarget } from '../request-path.ts'

/** Query parameter by which a reload of an address without its prefix finds its project. */
export const MARKER = 'previewd'

/**
 * Where an address leads that the client script made: the app's own path, with a marker that names the project. Undefined
 * for any other address.
 */
export function markedLocation(url: string): string | undefined {
  const { rawPath, query } = splitTarget(url)
  if (!query.includes(`${MARKER}=`)) return undefined
  const pairs = query.slice(1).split('&')
  const project = pairs.find((pair) => pair.startsWith(`${MARKER}=`))?.slice(MARKER.length + 1)
  if (project === undefined || !/^[a-z0-9-]{1,40}$/.test(project)) return undefined
  const rest = pairs.filter((pair) => !pair.startsWith(`${MARKER}=`)).join('&')
  return `/preview/${project}${rawPath}${rest === '' ? '' : `?${rest}`}`
}
