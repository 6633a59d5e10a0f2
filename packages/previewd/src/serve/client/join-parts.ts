import { readFileSync } from 'node:fs'

const IMPORT = /^import \{[^}]*\} from '(\.\/[\w-]+\.js)'\n/gm
const EXPORT = /^export (?=(?:async )?function |const )/gm

/**
 * A module and those that it imports, each before those that import it, as one classic script: pages run modules after
 * the app's own scripts have begun. All share one scope, so no two may declare the same name. Throws for an import from
 * elsewhere, and for imports and exports written in another way than with names in braces, or before a declaration.
 */
export function joinParts(main: URL): string {
  const parts = new Map<string, string>()
  const add = (url: URL): void => {
    const source = readFileSync(url, 'utf8')
    for (const [, from = ''] of source.matchAll(IMPORT)) {
      const part = new URL(from, url)
      if (!parts.has(part.href)) add(part)
    }
    const body = source.replaceAll(IMPORT, '').replaceAll(EXPORT, '')
    const [left] = /^(?:import|export)\b.*/m.exec(body) ?? []
    if (left !== undefined) throw new Error(`${url.href} cannot be joined with others: ${left}`)
    parts.set(url.href, body)
  }
  add(main)
  return `;(() => {\n${[...parts.values()].join('\n')}})()\n`
}
