import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import { isEnvSetName } from '../model/env-set.ts'

/** What a Host header names. */
export type HostTarget =
  | { kind: 'project'; project: string }
  | { kind: 'build'; project: string; buildId: string }
  | { kind: 'env-set'; project: string; envSet: string }
  /** A well-formed name that is not below the preview domain: the API's own. */
  | { kind: 'other' }
  /** Below the preview domain, but no label that a project can have. */
  | { kind: 'misdirected' }
  | { kind: 'malformed' }

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/
const IPV6 = /^\[[0-9a-f:.]{2,45}\]$/
const PORT = /^[0-9]{1,5}$/
const PROJECT = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/
const BUILD = /^[a-z0-9]{12}$/
const KNOWN_HOSTS = 2000

/**
 * Reads a Host header against the preview domain (`localhost:4400`). Ports are checked for form and not compared:
 * behind a forwarded port the browser's differs from ours.
 */
export function parseHost(header: string, previewDomain: string): HostTarget {
  const name = hostName(header)
  if (name === undefined) return { kind: 'malformed' }
  const domain = hostName(previewDomain)
  if (domain === undefined || !name.endsWith(`.${domain}`)) return { kind: 'other' }
  return parseLabel(name.slice(0, -domain.length - 1))
}

/** Reads the Host of requests, and remembers what it read: most requests come with one of a few names. */
export function hostReader(options: { previewDomain(): string }): (req: IncomingMessage) => HostTarget {
  const known = new LRUCache<string, HostTarget>({ max: KNOWN_HOSTS })
  let knownDomain = ''
  return ({ headers: { host }, rawHeaders }) => {
    // Without the header (HTTP/1.0) it is no preview; the API says what it thinks of that.
    if (host === undefined) return { kind: 'other' }
    // Node takes the first of several, a proxy in front may have taken the last.
    if (countHosts(rawHeaders) > 1) return { kind: 'malformed' }
    // The domain follows the port, which is known once the server listens.
    const domain = options.previewDomain()
    if (domain !== knownDomain) known.clear()
    knownDomain = domain
    const before = known.get(host)
    if (before !== undefined) return before
    const target = parseHost(host, domain)
    known.set(host, target)
    return target
  }
}

function countHosts(rawHeaders: string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}

/** Lower-case name without port and final dot; undefined where the header is not well-formed. */
function hostName(header: string): string | undefined {
  const host = header.toLowerCase()
  const colon = host.startsWith('[') ? host.indexOf(':', host.indexOf(']')) : host.indexOf(':')
  const port = colon === -1 ? undefined : host.slice(colon + 1)
  if (port !== undefined && (!PORT.test(port) || Number(port) > 65535)) return undefined
  const name = (colon === -1 ? host : host.slice(0, colon)).replace(/\.$/, '')
  if (IPV6.test(name)) return name
  return NAME.test(name) && !name.includes('..') ? name : undefined
}

function parseLabel(label: string): HostTarget {
  const split = label.indexOf('--')
  if (split === -1) return PROJECT.test(label) ? { kind: 'project', project: label } : { kind: 'misdirected' }
  const name = label.slice(0, split)
  const project = label.slice(split + 2)
  if (!PROJECT.test(project) || project.includes('--')) return { kind: 'misdirected' }
  if (BUILD.test(name)) return { kind: 'build', project, buildId: name }
  return isEnvSetName(name) ? { kind: 'env-set', project, envSet: name } : { kind: 'misdirected' }
}
