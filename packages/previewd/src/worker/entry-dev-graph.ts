import { readFileSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import type { ModuleOfPage } from '../model/worker.ts'
import { HOT_MODULE, PACKAGES, type ServedModule, type ViteDevServer } from './entry-dev-vite.ts'
import { MAX_GRAPH_BYTES } from './protocol.ts'

const APP = '/app'
/** Modules without a file that are the same whatever the project's files say. */
const OWN_MODULE = /^\/@(?:vite\/|react-refresh$)/
/** Those of Vite itself and of React put the same into every page. */
const OWN_PLUGIN = /^(?:vite|previewd):/
/** What such files say decides whether they are made of others, of which the module graph knows nothing. */
const MAYBE_OF_MORE = /\.vue$|\.module\.\w+$/
/** Of CSS modules, or of styles in a component. */
const COMPOSED = /(?:\bcomposes\s*:|@value\s)[^;}]*\sfrom\s*["']|:import\s*\(/
/** What a component declares may be of a type that it imports. */
const TYPED_MACRO = /\bdefine(?:Props|Emits|Model|Slots)\s*</

/**
 * What the modules of pages were made of, and which others their code depends on. Undefined where it is more than a message
 * holds. `written`: files that plugins wrote, of whatever they like.
 */
export function modulesOfPages(
  server: ViteDevServer,
  written: ReadonlySet<string>,
): ModuleOfPage[] | undefined {
  const { moduleGraph } = server.environments?.client ?? server
  const ofFiles = [...moduleGraph.fileToModulesMap.values()].flatMap((modules) => [...modules])
  const modules = [...new Set([...moduleGraph.idToModuleMap.values(), ...ofFiles])]
  const places = new Map(modules.map((module, place) => [module, place]))
  const { base = '/', configFileDependencies = [] } = server.config
  const ofConfig = new Set(configFileDependencies)
  const described = modules.map(
    (module): ModuleOfPage => ({
      path: `${base.startsWith('/') ? base.replace(/\/$/, '') : ''}${module.url.replace(/[?#].*$/s, '')}`,
      ...(written.has(module.file ?? '') ? { isMadeUp: true } : madeOf(module, ofConfig)),
      importers: [...module.importers]
        .filter((importer) => dependsOn(importer, module))
        .flatMap((importer) => places.get(importer) ?? []),
    }),
  )
  if (server.config.plugins?.some(writesPages)) {
    const page = join(server.config.root, 'index.html')
    described.push({ path: page, file: relative(APP, page), isMadeUp: true, importers: [] })
  }
  return Buffer.byteLength(JSON.stringify(described)) <= MAX_GRAPH_BYTES ? described : undefined
}

/** Code that imports a module at its top names it and is no other when that is; so Vite has it, too, in updates. */
function dependsOn({ type, staticImportedUrls }: ServedModule, { url }: ServedModule): boolean {
  return type !== 'js' || staticImportedUrls?.has(url) !== true
}

/** Of whatever it likes, and Vite asks it anew for each page. */
function writesPages({ name, transformIndexHtml }: { name: string; transformIndexHtml?: unknown }): boolean {
  return transformIndexHtml !== undefined && !OWN_PLUGIN.test(name)
}

function madeOf({ url, file }: ServedModule, ofConfig: ReadonlySet<string>): Partial<ModuleOfPage> {
  if (url === HOT_MODULE || OWN_MODULE.test(url)) return {}
  if (file === null || !isAbsolute(file)) return { isMadeUp: true }
  if (file.startsWith(`${PACKAGES}/`)) return {}
  const path = relative(APP, file)
  // Plugins give what they make up a path at the root as well, such as UnoCSS its stylesheet.
  if (path.startsWith('..')) return { isMadeUp: true }
  // What the configuration is made of may change anything, as may whatever is no module at all.
  if (path.startsWith('node_modules/') || ofConfig.has(file)) return {}
  return { file: path, ...(MAYBE_OF_MORE.test(file) && isMadeOfMore(file) && { isMadeUp: true }) }
}

function isMadeOfMore(file: string): boolean {
  try {
    const text = readFileSync(file, 'utf8')
    return COMPOSED.test(text) || (TYPED_MACRO.test(text) && /\bimport\b/.test(text))
  } catch {
    // A plugin made it up, or it is gone.
    return true
  }
}
