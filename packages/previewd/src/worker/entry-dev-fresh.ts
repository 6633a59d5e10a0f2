import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ViteDevServer } from './entry-dev-vite.ts'

/** What Vite adds to the address of a module that an update was sent for. */
const UPDATE_TIME = /[?&]t=\d{13}/
/** The address of a dependency that Vite has bundled. */
const BUNDLED = /\/deps\/[^?]*\?v=(\w+)$/

/**
 * Makes a server name its modules as one that starts anew will: without the times of updates, and with the one bundle
 * of dependencies that stands in the cache. Answers with the name of that.
 */
export async function freshen(server: ViteDevServer): Promise<string | undefined> {
  const { moduleGraph } = server.environments?.client ?? server
  const bundle = bundleOf(server)
  const modules = [...moduleGraph.idToModuleMap.values()]
  // A server gives dependencies that it comes upon names of their own, until it reads the cache.
  if (modules.some(({ url }) => (BUNDLED.exec(url)?.[1] ?? bundle) !== bundle)) {
    await server.restart()
    return bundleOf(server)
  }
  for (const module of modules) {
    module.lastHMRTimestamp = 0
    // Of a module that Vite means to transform anew it may take the old code, and leave the times in it.
    const code = module.transformResult?.code
    if (code === undefined || UPDATE_TIME.test(code)) moduleGraph.invalidateModule(module)
  }
  return bundle
}

/** Names the bundle of the dependencies that stands in the cache: a server that starts from it names it so. */
export function bundleOf({ config }: ViteDevServer): string | undefined {
  try {
    const text = readFileSync(join(config.cacheDir ?? '', 'deps/_metadata.json'), 'utf8')
    const { browserHash } = JSON.parse(text) as { browserHash?: unknown }
    return typeof browserHash === 'string' ? browserHash : undefined
  } catch {
    // There is none yet, or none that is whole.
    return undefined
  }
}
