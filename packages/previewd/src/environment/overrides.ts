import { stringEntries, toRecord } from './package-manifest.ts'
import { isPackageName, parseSpecifier } from './specifier.ts'

/** `selector: version` in the form of pnpm, e.g. `parent@1>child`, and what could not be taken over. */
export interface Overrides {
  entries: Record<string, string>
  refused: { selector: string; reason: string }[]
  /** Selectors in a form that is not known here: what they mean cannot be kept. */
  ignored: string[]
}

const MAX_OVERRIDES = 2000
const MAX_DEPTH = 16
const SELECTOR_PART = /^((?:@[^@/>\s]+\/)?[^@/>\s]+)(?:@(.+))?$/

/**
 * Translates `overrides` of npm and Bun, `resolutions` of Yarn, and `overrides` of pnpm (its own field and that of
 * pnpm-workspace.yaml), in this order, so that the last wins.
 */
export function translateOverrides(
  manifest: Record<string, unknown>,
  workspaceYaml: Record<string, unknown> | undefined,
): Overrides {
  const collected: Overrides = { entries: {}, refused: [], ignored: [] }
  const direct = directSpecifiers(manifest)
  const add = (selector: string, value: string) => addOverride(collected, direct, selector, value)
  walkNpmOverrides(toRecord(manifest.overrides) ?? {}, [], add, 0)
  for (const [selector, value] of stringEntries(manifest.resolutions)) {
    add(fromYarnSelector(selector), value)
  }
  for (const source of [toRecord(manifest.pnpm)?.overrides, workspaceYaml?.overrides]) {
    for (const [selector, value] of stringEntries(source)) add(selector, value)
  }
  return collected
}

/** npm nests: `{"a": {".": "1", "b": "2"}}` is a itself, and b below a. */
function walkNpmOverrides(
  level: Record<string, unknown>,
  parents: string[],
  add: (selector: string, value: string) => void,
  depth: number,
): void {
  if (depth > MAX_DEPTH) return
  for (const [key, value] of Object.entries(level)) {
    const path = key === '.' ? parents : [...parents, key]
    if (typeof value === 'string') {
      // pnpm knows one parent: the nearest keeps the most of the meaning.
      if (path.length > 0) add(path.slice(-2).join('>'), value)
    } else {
      walkNpmOverrides(toRecord(value) ?? {}, path, add, depth + 1)
    }
  }
}

/** `**\/a`, `a/b`, `@s/a/**\/b` and `a@npm:^1` of Yarn; only the nearest parent is kept. */
function fromYarnSelector(selector: string): string {
  const parts = selector
    .split('/')
    .reduce<string[]>((names, part) => {
      const scope = names.at(-1)
      if (scope?.startsWith('@') && !scope.includes('/')) names[names.length - 1] = `${scope}/${part}`
      else names.push(part)
      return names
    }, [])
    .filter((part) => part !== '**' && part !== '*')
  return parts
    .slice(-2)
    .map((part) => part.replace(/@npm:/, '@'))
    .join('>')
}

function addOverride(
  collected: Overrides,
  direct: ReadonlyMap<string, string>,
  selector: string,
  written: string,
): void {
  const refuse = (reason: string) => collected.refused.push({ selector, reason })
  if (Object.keys(collected.entries).length >= MAX_OVERRIDES) return void refuse('there are too many')
  if (!isSelector(selector)) return void collected.ignored.push(selector)
  const value = written.startsWith('$') ? direct.get(written.slice(1)) : written
  if (value === undefined) return void refuse(`${written} is not a dependency`)
  if (value === '-' || value.startsWith('catalog:')) {
    collected.entries[selector] = value
    return
  }
  const specifier = parseSpecifier(value)
  if (specifier.kind === 'range') collected.entries[selector] = specifier.range
  else if (specifier.kind === 'tag') collected.entries[selector] = specifier.tag
  else if (specifier.kind === 'alias') {
    collected.entries[selector] = `npm:${specifier.name}@${specifier.target}`
  } else refuse(specifier.kind === 'refused' ? specifier.reason : 'it needs a version')
}

function isSelector(selector: string): boolean {
  // A `>` after a space, `|` or `@` belongs to a range.
  const parts = selector.split(/(?<=[^ |@])>/)
  if (parts.length > 2 || selector.length > 512) return false
  return parts.every((part) => {
    const match = SELECTOR_PART.exec(part.trim())
    if (!match?.[1] || !isPackageName(match[1])) return false
    return match[2] === undefined || parseSpecifier(match[2]).kind === 'range'
  })
}

function directSpecifiers(manifest: Record<string, unknown>): Map<string, string> {
  return new Map(
    ['optionalDependencies', 'devDependencies', 'dependencies'].flatMap((field) =>
      stringEntries(manifest[field]),
    ),
  )
}
