/** Each with a bound where it could look through all that follows again and again. */
const IMPORT = /\b(?:from|import)\s{0,99}(?:\(\s{0,99})?['"]([^'"\n]{1,999})['"]/g
const STYLE_IMPORT = /@import\s{1,99}(?:url\()?['"]([^'"\n]{1,999})['"]/g
const PAGE_REFERENCE = /<(?:script\b[^>]{0,299}\ssrc|link\b[^>]{0,299}\shref)=["']([^"'\n]{1,999})["']/g
/** What names other files stands at the beginning; the rest of a long one is not looked at. */
const LOOKED_AT_CHARS = 256 * 1024

const CODE = /\.(?:[cm]?[jt]sx?|vue|svelte|astro)$/
const STYLE = /\.(?:css|scss|sass|less)$/
const PAGE = /\.html?$/

/** What a bundler adds to a specifier that names no file. */
const ENDINGS = [
  '',
  '.ts',
  '.tsx',
  '.js',
  '.jsx',
  '.mjs',
  '.mts',
  '.json',
  '.vue',
  '.svelte',
  '.css',
  '.scss',
]
const WITH_ENDINGS = [...ENDINGS, ...ENDINGS.slice(1).map((ending) => `/index${ending}`)]

/**
 * Paths of the project that a file needs to be there, without endings where it leaves them out. Read by patterns: what
 * stands in a comment counts too, and an alias is taken for the usual one (`@/` and `~/` are the `src` folder).
 */
export function referencesOf(path: string, content: string): string[] {
  if (PAGE.test(path)) {
    const local = matches(PAGE_REFERENCE, content).filter((to) => CODE.test(bare(to)) || STYLE.test(bare(to)))
    return local.flatMap((to) => inPage(path, to))
  }
  const pattern = CODE.test(path) ? IMPORT : STYLE.test(path) ? STYLE_IMPORT : undefined
  if (!pattern) return []
  return matches(pattern, content).flatMap((to) => inModule(path, bare(to)))
}

/** Whether the project has what a reference names. */
export function isThere(reference: string, has: (path: string) => boolean): boolean {
  if (WITH_ENDINGS.some((ending) => has(reference + ending))) return true
  // TypeScript writes the name of what is emitted: ./x.js for x.ts.
  const typescript = reference.replace(/\.([cm]?)js(x?)$/, '.$1ts$2')
  return typescript !== reference && (has(typescript) || has(`${typescript}x`))
}

/** The files that need nothing but each other and what is there already. */
export function coherent(
  references: ReadonlyMap<string, readonly string[]>,
  has: (path: string) => boolean,
): Set<string> {
  const group = new Set(references.keys())
  const hasSoon = (path: string) => group.has(path) || has(path)
  // What is taken out may be what another one needs: until nothing is.
  for (let before = -1; before !== group.size; ) {
    before = group.size
    for (const path of group) {
      if (references.get(path)?.some((reference) => !isThere(reference, hasSoon))) group.delete(path)
    }
  }
  return group
}

function matches(pattern: RegExp, content: string): string[] {
  return [...content.slice(0, LOOKED_AT_CHARS).matchAll(pattern)].map(([, reference = '']) => reference)
}

function bare(reference: string): string {
  return reference.replace(/[?#].*$/, '')
}

function inPage(page: string, reference: string): string[] {
  if (/^(?:[a-z]+:|\/\/)/i.test(reference)) return []
  const path = bare(reference).replace(/^\.?\//, '')
  return [join(folderOf(page), path)]
}

function inModule(module: string, reference: string): string[] {
  if (/^\.\.?(?:\/|$)/.test(reference)) return [join(folderOf(module), reference)]
  const alias = /^[@~]\/(.+)$/.exec(reference)?.[1]
  if (alias === undefined) return []
  const source = /^(?:.*\/)?src\//.exec(module)?.[0] ?? 'src/'
  return [source + alias]
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

function join(folder: string, relative: string): string {
  const segments: string[] = []
  for (const segment of (folder + relative).split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return segments.join('/')
}
