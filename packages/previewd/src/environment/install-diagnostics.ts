import semver from 'semver'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { TaskOutcome } from '../model/worker.ts'
import { locateDependency, type PackageManifest } from './package-manifest.ts'
import type { PnpmError } from './pnpm-output.ts'
import { parseSpecifier } from './specifier.ts'

export interface FailureContext {
  /** The project's package.json files. */
  sources: PackageManifest[]
  /** Why the registry could not be reached during the install, where it could not. */
  registryFailure: string | undefined
  /** Versions of a package that the registry has. */
  knownVersions: (name: string) => Promise<string[]>
  timeoutMs: number
  minimumReleaseAgeMinutes: number
}

type Explanation = Pick<Diagnostic, 'code' | 'message' | 'hint'>

const MAX_MESSAGE = 2000

/** True where the machine's disk, and not the project, is the reason. */
export function isOutOfSpace(errors: readonly PnpmError[]): boolean {
  return errors.some(({ message }) => /No space left on device|os error 28|ENOSPC/.test(message))
}

/** Turns a failed install into diagnostics that an author can act on; never empty. */
export async function explainFailure(
  errors: readonly PnpmError[],
  outcome: Exclude<TaskOutcome, { kind: 'succeeded' }>,
  context: FailureContext,
): Promise<Diagnostic[]> {
  if (outcome.kind === 'timed_out') {
    const seconds = Math.round(context.timeoutMs / 1000)
    return [
      problem({ code: 'INSTALL_TIMED_OUT', message: `The install did not end within ${seconds} seconds.` }),
    ]
  }
  if (outcome.kind === 'out_of_memory') {
    return [problem({ code: 'INSTALL_FAILED', message: 'The install needed more memory than it may have.' })]
  }
  if (errors.length === 0) {
    const how = outcome.kind === 'failed' ? `exit code ${outcome.exitCode}` : outcome.kind
    return [problem({ code: 'INSTALL_FAILED', message: `The install failed (${how}).` })]
  }
  return await Promise.all(errors.map((error) => explainError(error, context)))
}

async function explainError(error: PnpmError, context: FailureContext): Promise<Diagnostic> {
  const asked = askedFor(error.message)
  const explanation = await explanationOf(error, asked, context)
  return { ...problem(explanation), ...locate([asked?.name, asked?.parent], context.sources) }
}

async function explanationOf(
  error: PnpmError,
  asked: Asked | undefined,
  context: FailureContext,
): Promise<Explanation> {
  const { code, message } = error
  if (code === 'ERR_PNPM_EXOTIC_SUBDEP' || (asked !== undefined && isExotic(asked.specifier))) {
    return {
      code: 'EXOTIC_DEPENDENCY',
      message: `${asked?.parent ?? 'A package'} depends on ${asked?.name ?? 'something'} from outside the registry, which is not installed.`,
      hint: 'use a version of it whose dependencies are on the registry',
    }
  }
  if (context.registryFailure !== undefined && isNetworkError(error)) {
    return {
      code: 'REGISTRY_UNREACHABLE',
      message: `The package registry cannot be reached: ${context.registryFailure}.`,
    }
  }
  if (code === 'ERR_PNPM_FETCH_404' || code === 'ERR_PNPM_PACKAGE_NOT_FOUND') {
    const name = asked?.name ?? 'A package'
    return {
      code: 'PACKAGE_NOT_FOUND',
      message: `${name} is not on the registry${asked?.parent ? `; ${asked.parent} depends on it` : ''}.`,
      hint: `check the name of ${name}, or remove it from the dependencies`,
    }
  }
  if (code === 'ERR_PNPM_NO_MATCHING_VERSION' || code === 'ERR_PNPM_NO_VERSIONS') {
    return await explainVersion(asked, message, context)
  }
  if (/MATURE|MINIMUM_RELEASE_AGE/.test(code)) {
    const hours = Math.round(context.minimumReleaseAgeMinutes / 60)
    return {
      code: 'RELEASE_TOO_YOUNG',
      message: clip(`Releases have to be ${hours} hours old to be installed. ${message}`),
      hint: 'use an earlier version',
    }
  }
  if (code.includes('INTEGRITY') || message.includes('verify the integrity'))
    return { code: 'INTEGRITY_MISMATCH', message: clip(message) }
  if (code === 'ERR_PNPM_TRUST_DOWNGRADE' || message.includes('trust downgrade'))
    return { code: 'TRUST_DOWNGRADE', message: clip(message) }
  return { code: 'INSTALL_FAILED', message: clip(`${message} (${code})`) }
}

async function explainVersion(
  asked: Asked | undefined,
  message: string,
  context: FailureContext,
): Promise<Explanation> {
  if (asked === undefined) return { code: 'VERSION_NOT_FOUND', message: clip(message) }
  const near = nearVersions(await context.knownVersions(asked.name), asked.specifier)
  return {
    code: 'VERSION_NOT_FOUND',
    message: `No version of ${asked.name} satisfies ${asked.specifier}.`,
    ...(near.length > 0 ? { hint: `versions there are: ${near.join(', ')}` } : {}),
  }
}

/** The newest release, and those around the lowest version that the specifier asks for; newest first. */
export function nearVersions(versions: readonly string[], specifier: string): string[] {
  const sorted = versions.filter((version) => semver.valid(version) !== null).sort(semver.rcompare)
  const stable = sorted.filter((version) => semver.prerelease(version) === null)
  const candidates = stable.length > 0 ? stable : sorted
  const wanted = semver.validRange(specifier, true) === null ? null : semver.minVersion(specifier, true)
  if (wanted === null) return candidates.slice(0, 5)
  const index = candidates.findIndex((version) => semver.lt(version, wanted))
  const around = index === -1 ? candidates.slice(-4) : candidates.slice(Math.max(0, index - 2), index + 2)
  return [...new Set([...candidates.slice(0, 1), ...around])]
}

interface Asked {
  name: string
  specifier: string
  /** The package of the registry that asks for it, where the project itself does not. */
  parent?: string
}

const NAME = '(?:@[^/\\s]+/)?[^@/\\s]+'
const RESOLVED = new RegExp(`Failed to resolve (${NAME})@(\\S.{0,200})`)
const MENTIONED = new RegExp(`(?:^|\\s)(${NAME})@(\\d\\S*)`, 'm')
const PARENT = new RegExp(`installing the dependencies of (${NAME})@`)

/** pnpm ends its messages with `Failed to resolve name@specifier` and the package that asked. */
function askedFor(message: string): Asked | undefined {
  const match = RESOLVED.exec(message) ?? MENTIONED.exec(message)
  const parent = PARENT.exec(message)?.[1]
  if (!match?.[1] || !match[2]) return undefined
  return { name: match[1], specifier: match[2].trim(), ...(parent === undefined ? {} : { parent }) }
}

function isExotic(specifier: string): boolean {
  return ['refused', 'folder'].includes(parseSpecifier(specifier).kind)
}

function isNetworkError({ code, message }: PnpmError): boolean {
  return /NETWORK|META_FETCH|FETCH_5|FETCH_40[13]|TARBALL_FETCH|HTTP_STATUS|BODY_READ|ERR_PNPM_FETCH$/.test(
    code,
  )
    ? true
    : /\b50[0-9]\b|error sending request|timed? ?out/i.test(message)
}

/** The line that asks for the first of the names that any package.json has. */
function locate(
  names: (string | undefined)[],
  sources: PackageManifest[],
): Pick<Diagnostic, 'file' | 'line' | 'column'> {
  for (const name of names.filter((candidate) => candidate !== undefined)) {
    for (const source of sources) {
      const position = locateDependency(source, name)
      if (position !== undefined) return { file: source.file, ...position }
    }
  }
  const [first] = sources
  return first === undefined ? {} : { file: first.file }
}

function problem(explanation: Explanation): Diagnostic {
  return { origin: 'install', severity: 'error', ...explanation }
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text
}
