import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import type { PageRequest, PageRequests } from '../../model/session.ts'
import { isNavigation } from '../navigation.ts'

/** Projects whose requests are remembered. */
const MAX_PROJECTS = 500
const MAX_REQUESTS_PER_PROJECT = 2000
const MAX_URL_LENGTH = 1024
/** Vite adds to the address of a module when it sent an update for it. */
const UPDATE_TIME = /([?&])t=\d{13}(&|$)/

/** What editors' pages asked dev servers for; the newest requests of each project, in the order of the first time. */
export class SeenRequests implements PageRequests {
  readonly #projects = new LRUCache<string, Map<string, PageRequest>>({ max: MAX_PROJECTS })

  /** Of a request that was answered with what it asked for. */
  note(project: string, request: PageRequest): void {
    const url = withoutUpdateTime(request.url)
    if (url.length > MAX_URL_LENGTH) return
    const seen = this.#projects.get(project) ?? new Map<string, PageRequest>()
    this.#projects.set(project, seen)
    const key = `${request.accept} ${url}`
    if (seen.has(key)) return
    seen.set(key, { ...request, url })
    const [oldest] = seen.keys()
    if (seen.size > MAX_REQUESTS_PER_PROJECT && oldest !== undefined) seen.delete(oldest)
  }

  of(project: string): readonly PageRequest[] {
    return [...(this.#projects.get(project)?.values() ?? [])]
  }
}

/** What a browser asks for, as far as a dev server answers by it; undefined for what is no part of loading a page. */
export function toPageRequest(req: IncomingMessage, url: string): PageRequest | undefined {
  if (req.method !== 'GET' || req.headers.range !== undefined) return undefined
  if (isNavigation(req)) return { url, accept: 'page' }
  return { url, accept: req.headers.accept?.includes('text/css') ? 'style' : 'any' }
}

function withoutUpdateTime(url: string): string {
  return url.replace(UPDATE_TIME, (_, before: string, after: string) => (after === '' ? '' : before))
}
