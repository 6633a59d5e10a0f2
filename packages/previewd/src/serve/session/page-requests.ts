import type { IncomingMessage } from 'node:http'
import { LRUCache } from 'lru-cache'
import type { PageRequest, PageRequests } from '../../model/session.ts'
import { isNavigation } from '../navigation.ts'

/** Projects whose requests are remembered. */
const MAX_PROJECTS = 200
const MAX_REQUESTS_PER_PROJECT = 1000
const MAX_URL_LENGTH = 512
/** Vite adds to the address of a module when it sent an update for it. */
const UPDATE_TIME = /([?&])t=\d{13}(&|$)/

/** Modules of a bundle of dependencies are no more when there is another bundle. */
const OF_A_BUNDLE = /[?&]v=[0-9a-f]{8}(?:&|$)/

/** `asked` is the address with the time of the last update, `generation` that of the dev server that answered. */
type SeenRequest = PageRequest & { asked: string; generation: string }

/** What editors' pages asked dev servers for; the newest requests of each project, in the order of the first time. */
export class SeenRequests implements PageRequests {
  readonly #projects = new LRUCache<string, Map<string, SeenRequest>>({ max: MAX_PROJECTS })

  /** Of a request that was answered with what it asked for. */
  note(project: string, request: PageRequest, generation: string): void {
    const url = withoutUpdateTime(request.url)
    if (url.length > MAX_URL_LENGTH) return
    const seen = this.#projects.get(project) ?? new Map<string, SeenRequest>()
    this.#projects.set(project, seen)
    const key = keyOf(request)
    const known = seen.get(key)
    if (known) Object.assign(known, { asked: request.url, generation })
    else seen.set(key, { ...request, url, asked: request.url, generation })
    const [oldest] = seen.keys()
    if (seen.size > MAX_REQUESTS_PER_PROJECT && oldest !== undefined) seen.delete(oldest)
  }

  /** Of a request that was answered with that there is no such thing any more. */
  drop(project: string, request: PageRequest): void {
    this.#projects.get(project)?.delete(keyOf(request))
  }

  of(project: string): readonly PageRequest[] {
    return [...(this.#projects.get(project)?.values() ?? [])]
  }

  forget(project: string): void {
    this.#projects.delete(project)
  }

  /** Addresses of the modules that pages imported, as they asked for them last, and as that dev server has them. */
  modules(project: string, generation: string): string[] {
    const seen = this.#projects.get(project)?.values() ?? []
    return Iterator.from(seen)
      .filter(({ isModule }) => isModule)
      .filter(({ url, generation: last }) => last === generation || !OF_A_BUNDLE.test(url))
      .map(({ asked }) => asked)
      .toArray()
  }
}

/** What a browser asks for, as far as a dev server answers by it; undefined for what is no part of loading a page. */
export function toPageRequest(req: IncomingMessage, url: string): PageRequest | undefined {
  const { range, authorization, 'sec-fetch-dest': dest } = req.headers
  if (req.method !== 'GET' || range !== undefined) return undefined
  // What a script asks for itself depends on who asks, and when: an answer that was given before may be another's.
  if (authorization !== undefined || dest === 'empty') return undefined
  if (isNavigation(req)) return { url, accept: 'page', isModule: false }
  const accept = req.headers.accept?.includes('text/css') ? 'style' : 'any'
  return { url, accept, isModule: dest === 'script' }
}

function keyOf({ accept, url }: PageRequest): string {
  return `${accept} ${withoutUpdateTime(url)}`
}

function withoutUpdateTime(url: string): string {
  return url.replace(UPDATE_TIME, (_, before: string, after: string) => (after === '' ? '' : before))
}
