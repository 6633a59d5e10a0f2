import { matchOrigin, type OriginPattern } from '../lib/origin-pattern.ts'

/** Where requests of a preview below a prefix are sent: an origin, and a path to put in front of theirs. */
export interface ProxyRule {
  /** Whole segments without a final slash, e.g. `/api`. */
  prefix: string
  target: URL
}

const MAX_RULES = 20
const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)+$/
const MAX_TARGET_LENGTH = 2000

/**
 * Checks the `proxy` of a project's settings against what the operator allows. Returns it as it is kept, without final
 * slashes, or the first problem: the prefix and one sentence.
 */
export function checkProxyRules(
  rules: Readonly<Record<string, string>>,
  allowed: readonly OriginPattern[],
): { rules: Record<string, string> } | { prefix: string; problem: string } {
  const kept = new Map<string, string>()
  for (const [given, text] of Object.entries(rules)) {
    const prefix = given.replace(/\/$/, '')
    const target = toProxyTarget(text)
    const problem = kept.has(prefix)
      ? 'is there twice'
      : (prefixProblem(prefix) ?? targetProblem(target, text, allowed))
    if (problem !== undefined || target === undefined)
      return { prefix: given, problem: problem ?? 'has no target' }
    if (kept.size >= MAX_RULES)
      return { prefix: given, problem: `is one more than the ${MAX_RULES} that may be set` }
    kept.set(prefix, target.href.replace(/\/$/, ''))
  }
  return { rules: Object.fromEntries(kept) }
}

/** The rule for a decoded path: the longest prefix of whole segments. */
export function findProxyRule(rules: Readonly<Record<string, string>>, path: string): ProxyRule | undefined {
  let longest = ''
  for (const prefix of Object.keys(rules)) {
    if (prefix.length > longest.length && (path === prefix || path.startsWith(`${prefix}/`))) longest = prefix
  }
  const target = toProxyTarget(rules[longest] ?? '')
  return target && { prefix: longest, target }
}

function prefixProblem(prefix: string): string | undefined {
  if (!PREFIX.test(prefix))
    return 'is not a path like /api: segments of letters, digits, ".", "_", "~" and "-"'
  const segments = prefix.slice(1).split('/')
  if (segments.some((segment) => segment === '.' || segment === '..')) return 'has a segment "." or ".."'
  return segments[0]?.toLowerCase() === '.previewd' ? "is the server's own" : undefined
}

function targetProblem(
  target: URL | undefined,
  text: string,
  allowed: readonly OriginPattern[],
): string | undefined {
  if (target === undefined || text.length > MAX_TARGET_LENGTH) {
    return 'needs an http or https URL without name, password, query and fragment'
  }
  if (allowed.length === 0) return 'this server allows no proxy targets'
  return matchOrigin(allowed, target) === undefined
    ? `${target.origin} is not one of the targets that this server allows`
    : undefined
}

function toProxyTarget(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined
  return url.username + url.password + url.search + url.hash === '' ? url : undefined
}
