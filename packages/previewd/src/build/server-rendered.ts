import type { Diagnostic } from '../model/diagnostic.ts'
import type { PackageJson } from './package-json.ts'

/** A framework whose pages a server renders, and where a build of it leaves those that it rendered ahead of time. */
export interface ServerFramework {
  name: string
  /** Folders below the project's root; the first that holds files is the site. None of them holds code of the server. */
  outputs: readonly string[]
}

const FRAMEWORKS: readonly (ServerFramework & { dependency: string })[] = [
  {
    dependency: '@tanstack/react-start',
    name: 'TanStack Start',
    outputs: ['.output/public', 'dist/client'],
  },
  {
    dependency: '@tanstack/solid-start',
    name: 'TanStack Start',
    outputs: ['.output/public', 'dist/client'],
  },
  { dependency: '@react-router/dev', name: 'React Router', outputs: ['build/client'] },
  { dependency: '@sveltejs/kit', name: 'SvelteKit', outputs: ['build'] },
  { dependency: 'astro', name: 'Astro', outputs: ['dist/client', 'dist'] },
  { dependency: 'nuxt', name: 'Nuxt', outputs: ['.output/public'] },
]

/** The framework that a project is built with, as its package.json names it. */
export function serverFramework(packageJson: PackageJson | null): ServerFramework | undefined {
  const found = FRAMEWORKS.find(({ dependency }) => packageJson?.dependencies.has(dependency))
  return found && { name: found.name, outputs: found.outputs }
}

/** Says that a build made no page which could be served without running the project's server. */
export function serverRendered({ name, outputs }: ServerFramework): Diagnostic {
  return {
    origin: 'build',
    severity: 'error',
    code: 'SERVER_RENDERED',
    message: `This ${name} app is rendered by a server: its build has no index.html in ${outputs.join(' or ')}.`,
    hint: 'start a live session, which runs its server; built servers are not served yet. Or let the build prerender "/"',
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
