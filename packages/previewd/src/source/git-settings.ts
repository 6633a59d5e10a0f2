import type { GitToken } from './git-place.ts'

/** Where git keeps the clone inside the sandbox, and where the files are laid out. */
export const REPOSITORY = '/app/repository'
export const TREE = 'tree'
export const AUTHORITIES = 'authorities.pem'

export interface GitSettings {
  url: URL
  /** Port of the way out on the sandbox's loopback. */
  proxyPort: number
  /** How long the host may be silent. */
  silentMs: number
  token: GitToken | undefined
  hasAuthorities: boolean
}

/** The environment of every git that is started: no configuration but this one, no prompt, no program of others. */
export function gitEnvironment({ url, proxyPort, silentMs, token, hasAuthorities }: GitSettings) {
  const settings: [key: string, value: string][] = [
    ['http.proxy', `http://127.0.0.1:${proxyPort}`],
    // A host that was allowed must not send the clone, or the token, to another one.
    ['http.followRedirects', 'false'],
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', String(Math.ceil(silentMs / 1000))],
    ['http.sslVerify', 'true'],
    ...(hasAuthorities ? ([['http.sslCAInfo', `/app/${AUTHORITIES}`]] as [string, string][]) : []),
    ['credential.helper', ''],
    ['core.askPass', ''],
    ['core.hooksPath', '/dev/null'],
    // The bytes as they are in the repository: no conversion of line ends, no filter.
    ['core.autocrlf', 'false'],
    ['core.symlinks', 'true'],
    ['protocol.allow', 'never'],
    [`protocol.${url.protocol.replace(':', '')}.allow`, 'always'],
    ['transfer.fsckObjects', 'true'],
    ['transfer.bundleURI', 'false'],
    ['submodule.recurse', 'false'],
    ['fetch.unpackLimit', '1'],
    ['pack.threads', '1'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    // Harmless oddities of old repositories.
    ...['zeroPaddedFilemode', 'missingSpaceBeforeDate', 'badTimezone', 'missingSpaceBeforeEmail'].map(
      (name): [string, string] => [`fetch.fsck.${name}`, 'ignore'],
    ),
    ...(token ? [authorization(url, token)] : []),
  ]
  return {
    HOME: '/tmp/home',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  }
}

/** A header for that host alone; a name and a password would be asked for again and again, and could be logged. */
function authorization(url: URL, { user, token }: GitToken): [key: string, value: string] {
  const credentials = Buffer.from(`${user}:${token}`).toString('base64')
  return [`http.${url.origin}/.extraHeader`, `Authorization: Basic ${credentials}`]
}
