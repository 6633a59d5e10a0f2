import type { ServerRun } from '../model/app-server.ts'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { PackageJson } from './package-json.ts'

/** A server that builds of a framework leave. Paths are below the project's root. */
export interface ServerRecipe {
  framework: string
  /** The module that is run; a build without it left no such server. */
  entry: string
  run: ServerRun
  /** Folders with its code. */
  code: readonly string[]
  /** Folders whose files go to browsers as they are; the server knows the first. */
  site: readonly string[]
  needsPackages: boolean
  /** Left by every build, also by one whose pages need no server. */
  isLast?: true
}

/** A framework whose pages a server renders, and where a build of it leaves those that it rendered ahead of time. */
export interface ServerFramework {
  name: string
  /** Folders below the project's root; the first that holds files is the site. None of them holds code of the server. */
  outputs: readonly string[]
  servers: readonly ServerRecipe[]
}

type Recipe = Omit<ServerRecipe, 'framework'>

const NITRO: Recipe = {
  entry: '.output/server/index.mjs',
  run: 'node',
  code: ['.output/server'],
  site: ['.output/public'],
  needsPackages: false,
}
const TANSTACK_START = {
  name: 'TanStack Start',
  outputs: ['.output/public', 'dist/client'],
  servers: [
    NITRO,
    {
      entry: 'dist/server/server.js',
      run: 'fetch',
      code: ['dist/server'],
      site: ['dist/client'],
      needsPackages: true,
    },
  ],
} as const
const REACT_ROUTER: Recipe = {
  entry: 'build/server/index.js',
  run: 'react-router',
  code: ['build/server'],
  site: ['build/client'],
  needsPackages: true,
}
const REMIX: Recipe = { ...REACT_ROUTER, run: 'remix' }
/** Of the adapter for Node. */
const SVELTEKIT_NODE: Recipe = {
  entry: 'build/index.js',
  run: 'node',
  code: ['build'],
  site: ['build/client', 'build/prerendered'],
  needsPackages: true,
}
/** Of every other adapter: what they start from. */
const SVELTEKIT: Recipe = {
  entry: '.svelte-kit/output/server/index.js',
  run: 'sveltekit',
  code: ['.svelte-kit/output/server'],
  site: [
    '.svelte-kit/output/client',
    '.svelte-kit/output/prerendered/pages',
    '.svelte-kit/output/prerendered/dependencies',
  ],
  needsPackages: true,
  isLast: true,
}
const ASTRO: Recipe = {
  entry: 'dist/server/entry.mjs',
  run: 'node',
  code: ['dist/server'],
  site: ['dist/client'],
  needsPackages: true,
}

interface Known {
  dependency: string
  name: string
  outputs: readonly string[]
  servers: readonly Recipe[]
  /** Where `vite build` is not its build. */
  buildCommand?: string
}

const FRAMEWORKS: readonly Known[] = [
  { dependency: '@tanstack/react-start', ...TANSTACK_START },
  { dependency: '@tanstack/solid-start', ...TANSTACK_START },
  {
    dependency: '@react-router/dev',
    name: 'React Router',
    outputs: ['build/client'],
    servers: [REACT_ROUTER],
    buildCommand: 'react-router build',
  },
  {
    dependency: '@remix-run/dev',
    name: 'Remix',
    outputs: ['build/client'],
    servers: [REMIX],
    buildCommand: 'remix vite:build',
  },
  {
    dependency: '@sveltejs/kit',
    name: 'SvelteKit',
    outputs: ['build'],
    servers: [SVELTEKIT_NODE, SVELTEKIT],
  },
  {
    dependency: 'astro',
    name: 'Astro',
    outputs: ['dist/client', 'dist'],
    servers: [ASTRO],
    buildCommand: 'astro build',
  },
  {
    dependency: 'nuxt',
    name: 'Nuxt',
    outputs: ['.output/public'],
    servers: [NITRO],
    buildCommand: 'nuxt build',
  },
]

function known(packageJson: PackageJson | null): Known | undefined {
  return FRAMEWORKS.find(({ dependency }) => packageJson?.dependencies.has(dependency))
}

/** How a project is built whose package.json has no script for it; undefined where that is by Vite, or not known. */
export function frameworkBuild(packageJson: PackageJson | null): string | undefined {
  return known(packageJson)?.buildCommand
}

/** The framework that a project is built with, as its package.json names it. */
export function serverFramework(packageJson: PackageJson | null): ServerFramework | undefined {
  const found = known(packageJson)
  if (!found) return undefined
  const { name, outputs } = found
  return { name, outputs, servers: found.servers.map((recipe) => ({ ...recipe, framework: name })) }
}

/** Says that a build left neither a page nor a server that is known here. */
export function serverRendered({ name, outputs, servers }: ServerFramework): Diagnostic {
  const entries = servers.map(({ entry }) => entry).join(' or ')
  return {
    origin: 'build',
    severity: 'error',
    code: 'SERVER_RENDERED',
    message: `This ${name} app is rendered by a server: its build left neither ${entries} nor an index.html in ${outputs.join(' or ')}.`,
    hint: 'build for Node, the preset or adapter whose output a Node server runs, or let the build prerender "/"; a live session shows the app all the same',
  }
}

/**
 * Vite asks for an index.html where the plugin of a framework told it nothing else: it is not in the configuration, or
 * needs another version of Vite, whose options an older one leaves unread.
 */
export function explainMissingIndex(
  found: Diagnostic[],
  framework: ServerFramework | undefined,
): Diagnostic[] {
  if (!framework) return found
  const { name } = framework
  return found.map((diagnostic) =>
    diagnostic.code !== 'INDEX_HTML_MISSING'
      ? diagnostic
      : {
          ...diagnostic,
          code: 'FRAMEWORK_MISMATCH',
          message: `Vite looked for an index.html, which a ${name} app does not have: the plugin of ${name} did not set up the build.`,
          hint: `have the plugin of ${name} in the Vite configuration, and "vite" in package.json at a version that it supports${name === 'TanStack Start' ? '; since 1.169 it needs Vite 8' : ''}`,
        },
  )
}
