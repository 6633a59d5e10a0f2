import { type PackageManifest, stringEntries, toRecord, toStrings } from './package-manifest.ts'
import { isPackageName, parseSpecifier } from './specifier.ts'

/** Settings of a project that change what is installed and that are plain values. Everything else is not read. */
export interface InstallSettings {
  catalogs: Record<string, Record<string, string>>
  /** Every package is linked into the top node_modules, as npm does. */
  shamefullyHoist: boolean
  publicHoistPattern: string[]
  autoInstallPeers: boolean
  linkWorkspacePackages: boolean
  packageExtensions: Record<string, Record<string, unknown>>
  ignoredOptionalDependencies: string[]
}

const MAX_ENTRIES = 1000

/** Reads pnpm-workspace.yaml, the `pnpm` field of package.json, `workspaces` of Bun, and three keys of .npmrc. */
export function readInstallSettings(
  manifest: PackageManifest,
  workspaceYaml: Record<string, unknown> | undefined,
  npmrc: string | undefined,
): InstallSettings {
  const yaml = workspaceYaml ?? {}
  const field = toRecord(manifest.json.pnpm) ?? {}
  const rc = parseNpmrc(npmrc ?? '')
  const hoisted = yaml.nodeLinker === 'hoisted' || rc.get('node-linker') === 'hoisted'
  const legacyPeers = rc.get('legacy-peer-deps') === 'true' || rc.get('auto-install-peers') === 'false'
  return {
    catalogs: readCatalogs(manifest, yaml),
    shamefullyHoist: hoisted || yaml.shamefullyHoist === true || rc.get('shamefully-hoist') === 'true',
    publicHoistPattern: toStrings(yaml.publicHoistPattern).filter((text) => /^[\w@/.*!-]{1,214}$/.test(text)),
    autoInstallPeers: yaml.autoInstallPeers !== false && !legacyPeers,
    linkWorkspacePackages: yaml.linkWorkspacePackages === true,
    packageExtensions: readExtensions(yaml.packageExtensions ?? field.packageExtensions),
    ignoredOptionalDependencies: toStrings(
      yaml.ignoredOptionalDependencies ?? field.ignoredOptionalDependencies,
    ).filter(isPackageName),
  }
}

/** `key=value` lines; lists and tokens are of no interest here. */
function parseNpmrc(text: string): Map<string, string> {
  const pairs = text.slice(0, 64 * 1024).split(/\r?\n/)
  return new Map(
    pairs.flatMap((line) => {
      const match = /^\s*([a-z-]+)\s*=\s*"?([a-z]+)"?\s*$/.exec(line)
      return match?.[1] && match[2] ? [[match[1], match[2]] as const] : []
    }),
  )
}

function readCatalogs(
  manifest: PackageManifest,
  yaml: Record<string, unknown>,
): Record<string, Record<string, string>> {
  const catalogs: Record<string, Record<string, string>> = Object.create(null)
  const workspaces = toRecord(manifest.json.workspaces)
  for (const source of [manifest.json, workspaces, yaml]) {
    const named = Object.entries(toRecord(source?.catalogs) ?? {})
    for (const [name, entries] of [...named, ['default', source?.catalog] as const]) {
      const valid = stringEntries(entries).filter(([entry, value]) => isPackageName(entry) && isPlain(value))
      if (valid.length > 0) catalogs[name] = Object.fromEntries(valid.slice(0, MAX_ENTRIES))
    }
  }
  return catalogs
}

function readExtensions(value: unknown): Record<string, Record<string, unknown>> {
  const extensions: Record<string, Record<string, unknown>> = {}
  for (const [selector, written] of Object.entries(toRecord(value) ?? {}).slice(0, MAX_ENTRIES)) {
    const at = selector.indexOf('@', 1)
    if (!isPackageName(at === -1 ? selector : selector.slice(0, at))) continue
    const extension: Record<string, unknown> = {}
    for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
      const entries = stringEntries(toRecord(written)?.[field])
      const valid = entries.filter(([name, text]) => isPackageName(name) && isPlain(text))
      if (valid.length > 0) extension[field] = Object.fromEntries(valid)
    }
    if (Object.keys(extension).length > 0) extensions[selector] = extension
  }
  return extensions
}

function isPlain(specifier: string): boolean {
  return ['range', 'tag', 'alias'].includes(parseSpecifier(specifier).kind)
}
