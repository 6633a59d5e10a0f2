import type { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { COMING_EVENT, type ComingModules } from './entry-dev-coming.ts'
import type { MissingPaths } from './entry-dev-missing.ts'
import { Reloads } from './entry-dev-reloads.ts'

/** The part of Vite's node API that a session uses, as it is from version 4 to 8. */
export interface ViteDevServer {
  config: ResolvedDevConfig
  watcher: EventEmitter
  middlewares: Parameters<MissingPaths['watch']>[0]
  ws: {
    send(...payload: unknown[]): void
    on(event: string, listener: (data: unknown, client: { send(payload: object): void }) => void): void
  }
  moduleGraph: ModuleGraph
  transformRequest(url: string): Promise<unknown>
  /** Since 6; before, one graph holds the modules of pages and of the server. */
  environments?: Record<string, DevEnvironment>
  listen(): Promise<unknown>
  restart(): Promise<void>
  close(): Promise<void>
  httpServer: Server | null
}

/** Modules for one place where they run: `client` is the pages, all others are on the server side. */
export interface DevEnvironment {
  moduleGraph: ModuleGraph
  transformRequest(url: string): Promise<unknown>
}

interface ModuleGraph {
  idToModuleMap: Map<string, ServedModule>
  /** Also the files that a module was made with and that are none themselves. */
  fileToModulesMap: Map<string, Set<ServedModule>>
  urlToModuleMap: Map<string, { file?: string | null }>
  getModulesByFile(file: string): Set<ServedModule> | undefined
  invalidateModule(module: ServedModule): void
}

export interface ServedModule {
  url: string
  file: string | null
  importers: Set<ServedModule>
  type?: 'js' | 'css' | 'asset'
  /** Addresses of the modules that its code imports at its top; since version 5. */
  staticImportedUrls?: Set<string>
  /** When an update was sent for it last; importers name it with this time from then on. 0: never. */
  lastHMRTimestamp: number
  transformResult: { code: string } | null
}

export interface ResolvedDevConfig {
  root: string
  base?: string
  /** Undefined where the project has none. */
  configFile?: string | undefined
  configFileDependencies?: string[]
  cacheDir?: string
  webSocketToken?: string
  /** '' where there is none. */
  publicDir: string
  plugins?: readonly { name: string; transformIndexHtml?: unknown }[]
  build?: { ssr?: unknown }
  server: {
    watch?: unknown
    hmr?: unknown
    allowedHosts?: unknown
    port?: number
    https?: unknown
    fs?: { allow?: string[] }
  }
}

export interface Vite {
  version?: string
  createServer(config: object): Promise<ViteDevServer>
}

export const HOT_MODULE = '/@previewd/hot'
export const REVISION_EVENT = 'previewd:revision'
/** Where packages stand. The entry files that frameworks keep in theirs go to pages by this path. */
export const PACKAGES = '/store'
/** A dependency as Vite has bundled it for pages. */
const BUNDLED_DEPENDENCY = /\/deps\/[^/?]+\.js(?:\?|$)/

/** What the pages of a session run: it tells previewd's client script how far the updates are. */
const hotSource = (reloads: Reloads) => `
const hot = import.meta.hot
const client = window.__previewd
if (hot && client) {
  hot.on('vite:ws:connect', () => client.connected())
  hot.on('${COMING_EVENT}', (urls) => client.coming(urls))
  hot.on('vite:beforeUpdate', () => client.updating())
  hot.on('vite:afterUpdate', () => client.updated())
  hot.on('vite:beforeFullReload', () => client.reloading())
  hot.on('vite:error', () => client.failed())
  hot.on('${REVISION_EVENT}', ({ revision, updates }) => client.reached(revision, updates))
  ${reloads.source()}
}
`

/** What follows the requests of pages. */
export interface RequestWatchers {
  readonly missing: MissingPaths
  readonly coming: ComingModules
}

interface SessionPluginOptions {
  token?: string | undefined
  /** Of Vite; the newest where it is left out. */
  version?: string | undefined
  /** Gets each server that is made with it. */
  onServer?: (server: ViteDevServer) => void
  /** Called before pages are told to load anew. */
  onReload?: (server: ViteDevServer) => void
}

/**
 * Adapts the project's own configuration to a session: nobody watches files (the host says what changed), the page's
 * own address is that of the hot updates too, and Host is checked by who stands in front.
 */
export function sessionPlugin(
  { missing, coming }: RequestWatchers,
  { token, version = '', onServer, onReload }: SessionPluginOptions,
): object {
  const reloads = new Reloads()
  return {
    name: 'previewd:session',
    enforce: 'post',
    configResolved: (config: ResolvedDevConfig) => {
      const { server } = config
      if (token !== undefined) config.webSocketToken = token
      // Version 4 always has a watcher.
      server.watch = version.startsWith('4.') ? { ignored: () => true } : null
      // TLS, where there is any, ends in front of previewd.
      server.https = undefined
      server.allowedHosts = true
      server.fs?.allow?.push(PACKAGES)
      server.hmr = adaptedHmr(server.hmr)
    },
    configureServer: (server: ViteDevServer) => {
      missing.watch(server.middlewares)
      coming.watch(server.middlewares)
      reloads.follow(server, () => {
        forgetHotModule(server)
        onReload?.(server)
      })
      onServer?.(server)
    },
    resolveId: (id: string) => (id === HOT_MODULE ? id : undefined),
    load: (id: string) => (id === HOT_MODULE ? hotSource(reloads) : undefined),
    // Their maps are most of what a page would load, and nobody edits what they lead to. Vite takes code that is as it
    // was for not transformed at all, and would keep its map.
    transform: (code: string, id: string) =>
      BUNDLED_DEPENDENCY.test(id) ? { code: `${code}\n`, map: { mappings: '' } } : undefined,
  }
}

function forgetHotModule(server: ViteDevServer): void {
  const { moduleGraph } = server.environments?.client ?? server
  const module = moduleGraph.idToModuleMap.get(HOT_MODULE)
  if (module) moduleGraph.invalidateModule(module)
}

/** Without any address; the listener that a framework has and the switch of the overlay stay. */
function adaptedHmr(hmr: unknown): object | false {
  // A server that only renders has none.
  if (hmr === false) return false
  const { overlay, server, path }: HmrOptions = typeof hmr === 'object' ? (hmr ?? {}) : {}
  return { overlay: overlay !== false, ...(server !== undefined && { server, path }) }
}

interface HmrOptions {
  overlay?: unknown
  server?: unknown
  path?: unknown
}
