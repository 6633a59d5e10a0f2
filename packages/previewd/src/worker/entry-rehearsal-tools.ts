import { pathToFileURL } from 'node:url'
import { writeLoader } from './entry-rehearsal-sample.ts'
import { viteEntry, viteFolder } from './entry-vite-folder.ts'

type Plugin = (options?: object) => unknown
type Load = (name: string) => Promise<unknown>

/** What of an environment takes part in a rehearsal. */
export interface Tools {
  vite: Record<string, unknown>
  /** Made anew for each server or build. */
  plugins: () => unknown[]
  postcss: () => unknown[]
  hasReact: boolean
  /** Since Tailwind 4; its stylesheets begin with an import. */
  hasTailwindPlugin: boolean
}

/** The first that is there plays along. */
const REACT_PLUGINS = ['@vitejs/plugin-react-swc', '@vitejs/plugin-react']
/** Common, and slow to load; what they do needs more than a sample. */
const LOADED_ONLY = [
  '@vitejs/plugin-vue',
  '@sveltejs/kit/vite',
  '@sveltejs/vite-plugin-svelte',
  '@react-router/dev/vite',
  '@tanstack/react-start/plugin/vite',
  '@tanstack/router-plugin/vite',
  'nitro/vite',
  'vite-tsconfig-paths',
  'lovable-tagger',
]

/** Rejects where there is no Vite; plugins that cannot be loaded stay out. */
export async function loadTools(cwd: string): Promise<Tools> {
  const vite = (await import(viteEntry(viteFolder(cwd)))) as Record<string, unknown>
  const load = await loader()
  let react: Plugin | undefined
  for (const name of REACT_PLUGINS) react ??= await load(name)
  const tailwindPlugin = await load('@tailwindcss/vite')
  // In this version it is not a plugin of PostCSS any more.
  const tailwind = tailwindPlugin ? undefined : await load('tailwindcss')
  const autoprefixer = await load('autoprefixer')
  for (const name of LOADED_ONLY) await load(name)
  return {
    vite,
    plugins: () => [react?.(), tailwindPlugin?.()],
    postcss: () => [
      ...(tailwind ? [tailwind({ content: [{ raw: '<b class="flex p-4 text-sm hover:underline">' }] })] : []),
      ...(autoprefixer ? [autoprefixer()] : []),
    ],
    hasReact: react !== undefined,
    hasTailwindPlugin: tailwindPlugin !== undefined,
  }
}

/** Finds a package as the project's own configuration would; undefined where it is not there or throws. */
async function loader(): Promise<(name: string) => Promise<Plugin | undefined>> {
  const { load } = (await import(pathToFileURL(writeLoader()).href)) as Record<string, Load>
  return async (name) => {
    try {
      const module = (await load?.(name)) as { default?: unknown }
      return typeof module.default === 'function' ? (module.default as Plugin) : undefined
    } catch {
      // Not there, as a rule. One that cannot be loaded fails for the project too, and there it is told.
      return undefined
    }
  }
}
