import type { ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SessionServers } from './entry-dev-batch.ts'
import { ComingModules } from './entry-dev-coming.ts'
import { bundleOf } from './entry-dev-fresh.ts'
import { MissingPaths } from './entry-dev-missing.ts'
import { HOT_MODULE, sessionPlugin, type Vite, type ViteDevServer } from './entry-dev-vite.ts'
import { packageEntry, packageFolder, viteEntry, viteFolder } from './entry-vite-folder.ts'

export interface ServerPlace {
  cwd: string
  port: number
  mode?: string
  token?: string
}

/** Starts the dev server of a project, by whatever has one; resolves when it listens. */
export async function startServers(
  framework: 'astro' | 'nuxt' | undefined,
  place: ServerPlace,
  onReload: (server: ViteDevServer) => void,
): Promise<SessionServers> {
  if (framework === 'astro') return await startAstro(place)
  return framework === 'nuxt' ? await startNuxt(place) : await startVite(place, onReload)
}

/** Loads the framework that a folder finds, ahead of its use; false where it finds none that is known here. */
export async function loadFramework(cwd: string): Promise<boolean> {
  const entries = [
    () => packageEntry(packageFolder(cwd, 'astro')),
    () => nuxtCommands(packageFolder(cwd, 'nuxt')),
  ]
  for (const entry of entries) {
    try {
      await import(entry())
      return true
    } catch {
      // Another one, or none.
    }
  }
  return false
}

async function startVite(
  { cwd, port, mode, token }: ServerPlace,
  onReload: (server: ViteDevServer) => void,
): Promise<SessionServers> {
  const folder = viteFolder(cwd)
  process.argv = [process.execPath, join(folder, 'bin/vite.js'), 'dev']
  const watchers = { missing: new MissingPaths(), coming: new ComingModules() }
  const vite = (await import(viteEntry(folder))) as Vite
  const main = await vite.createServer({
    root: cwd,
    ...(mode !== undefined && { mode }),
    clearScreen: false,
    server: { host: '127.0.0.1', port, strictPort: true, open: false },
    plugins: [sessionPlugin(watchers, { token, version: vite.version, onReload })],
  })
  // What it stands for now; one that does not fit any more is removed at the start.
  const bundle = bundleOf(main)
  await main.listen()
  return {
    main,
    others: [],
    ...watchers,
    ...(bundle !== undefined && bundle === bundleOf(main) && { bundle }),
  }
}

/** The Vite servers that a framework makes, as they come: it makes others when it restarts. */
class MadeServers implements SessionServers {
  #main: ViteDevServer | undefined
  #others: ViteDevServer[] = []
  readonly missing = new MissingPaths()
  readonly coming = new ComingModules()
  settle?: (files: readonly string[]) => Promise<boolean>

  get main(): ViteDevServer {
    if (!this.#main) throw new Error('The framework started no Vite server for its pages.')
    return this.#main
  }

  get others(): readonly ViteDevServer[] {
    return this.#others
  }

  readonly add = (server: ViteDevServer): void => {
    // What only renders comes after the one whose pages it renders.
    if (server.config.build?.ssr) this.#others = [server]
    else {
      this.#main = server
      this.#others = []
    }
  }
}

async function startAstro({ cwd, port, mode }: ServerPlace): Promise<SessionServers> {
  const folder = packageFolder(cwd, 'astro')
  process.argv = [process.execPath, join(folder, 'astro.js'), 'dev']
  process.env.ASTRO_TELEMETRY_DISABLED = '1'
  const { dev } = (await import(packageEntry(folder))) as { dev(config: object): Promise<unknown> }
  const servers = new MadeServers()
  await dev({
    root: cwd,
    ...(mode !== undefined && { mode }),
    server: { host: '127.0.0.1', port, open: false },
    vite: {
      clearScreen: false,
      server: { strictPort: true },
      plugins: [sessionPlugin(servers, { onServer: servers.add })],
    },
  })
  return servers
}

interface Nitro {
  options: { scanDirs: readonly string[] }
  hooks: { hook(name: 'compiled', listener: () => void): void }
}

/** Longer than the bundle of a large server takes. */
const COMPILE_TIMEOUT_MS = 10_000

async function startNuxt({ cwd, port }: ServerPlace): Promise<SessionServers> {
  const folder = packageFolder(cwd, 'nuxt')
  const args = ['--no-fork', '--host', '127.0.0.1', '--port', String(port)]
  process.argv = [process.execPath, join(folder, 'bin/nuxt.mjs'), 'dev', ...args]
  process.env.NUXT_TELEMETRY_DISABLED = '1'
  const { runCommand } = (await import(nuxtCommands(folder))) as {
    runCommand(name: string, args: string[], more: { overrides: object }): Promise<unknown>
  }
  const servers = new MadeServers()
  // Vite is asked only for what lies below its base, and pages ask for this before they know of one.
  const sendHotModule = async ({ node: { res } }: { node: { res: ServerResponse } }) => {
    const transformed = (await servers.main.transformRequest(HOT_MODULE)) as { code: string } | null
    res.setHeader('Content-Type', 'text/javascript').end(transformed?.code)
  }
  let nitro: Nitro | undefined
  const waiting = new Set<() => void>()
  await runCommand('dev', args, {
    overrides: {
      vite: {
        plugins: [sessionPlugin(servers, { onServer: servers.add })],
      },
      devServerHandlers: [
        { route: HOT_MODULE, handler: Object.assign(sendHotModule, { __is_handler__: true }) },
      ],
      hooks: {
        'nitro:init': (made: Nitro) => {
          nitro = made
          made.hooks.hook('compiled', () => {
            for (const resolve of waiting) resolve()
            waiting.clear()
          })
        },
      },
    },
  })
  // Code of its server is bundled by another tool, which watches the files; pages hear nothing of it.
  servers.settle = async (files) => {
    const folders = nitro?.options.scanDirs ?? []
    if (!files.some((file) => folders.some((folder) => file.startsWith(`${folder}/`)))) return false
    await new Promise<void>((resolve) => {
      waiting.add(resolve)
      setTimeout(resolve, COMPILE_TIMEOUT_MS)
    })
    return true
  }
  return servers
}

/** The module of Nuxt's commands; it is a dependency of Nuxt's own, whose name changed with time. */
function nuxtCommands(folder: string): string {
  const require = createRequire(join(folder, 'package.json'))
  const found = ['@nuxt/cli', 'nuxi'].flatMap((name) => {
    try {
      return [join(dirname(require.resolve(`${name}/cli`)), '../dist/index.mjs')]
    } catch {
      return []
    }
  })
  if (found[0] === undefined) throw new Error('This Nuxt has no command line that could be called.')
  return pathToFileURL(found[0]).href
}
