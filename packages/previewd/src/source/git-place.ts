import { filePathProblem } from '../model/file-path.ts'
import { invalidPlace } from './places.ts'

/** A host that the operator allows to clone from. */
export interface GitHost {
  protocol: 'https:' | 'http:'
  /** Lower case, or `*.example.org` for every name below one. */
  name: string
  port: number
}

/** A token for the repositories of one host. */
export interface GitToken {
  /** As URLs have it, with the port where it is not the usual one. */
  host: string
  user: string
  token: string
}

const HOST = /^(?:(https?):\/\/)?((?:\*\.)?[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/
const TOKEN = /^([a-z0-9.:[\]-]+)=(?:([^:=\s]+):)?([^\s:]+)$/i
/** GitHub's name for who has a token; others take any, or the one that is given. */
const TOKEN_USER = 'x-access-token'
const DEFAULT_PORTS = { 'https:': 443, 'http:': 80 }

/** Reads `host`, `*.host`, `host:port` or `http://host:port`; throws an Error that says how it is written. */
export function parseGitHost(text: string): GitHost {
  const [, scheme = 'https', name, port] = HOST.exec(text.toLowerCase()) ?? []
  const protocol = scheme === 'http' ? 'http:' : 'https:'
  if (name !== undefined) return { protocol, name, port: Number(port ?? DEFAULT_PORTS[protocol]) }
  throw new Error(`PREVIEWD_GIT_HOSTS: "${text}" has to be a host like github.com or git.example.org:8443.`)
}

/** Reads `host=token` or `host=user:token`; throws an Error without the token in it. */
export function parseGitToken(text: string): GitToken {
  const [, host, user = TOKEN_USER, token] = TOKEN.exec(text) ?? []
  if (host !== undefined && token !== undefined) return { host: host.toLowerCase(), user, token }
  throw new Error('PREVIEWD_GIT_TOKENS: each has to be HOST=TOKEN or HOST=USER:TOKEN.')
}

/** The address of a repository as git is given it; throws SETTINGS_INVALID unless it is on one of the hosts. */
export function parseRepository(text: string, hosts: readonly GitHost[]): URL {
  if (!URL.canParse(text)) throw invalidPlace('url', 'it has to be an https:// address')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw invalidPlace('url', 'it has to be an https:// address')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidPlace('url', 'it must not hold a name or a password; tokens are set by the operator')
  }
  if (url.search !== '' || url.hash !== '') throw invalidPlace('url', 'it must not have ? or #')
  if (hosts.some((host) => isOn(host, url))) return url
  throw invalidPlace('url', `the operator did not name ${url.host} in PREVIEWD_GIT_HOSTS`)
}

/** What the way out of the sandbox has to let through, and nothing else. */
export function gitReach(hosts: readonly GitHost[]): { allowedHosts: string[]; ports: number[] } {
  return {
    allowedHosts: hosts.map(({ name }) => name.replace(/^\[|\]$/g, '')),
    ports: hosts.map(({ port }) => port),
  }
}

/** Port of an address, said or not. */
export function portOf({ protocol, port }: URL): number {
  return port === '' ? DEFAULT_PORTS[protocol as GitHost['protocol']] : Number(port)
}

function isOn({ protocol, name, port }: GitHost, url: URL): boolean {
  if (url.protocol !== protocol || portOf(url) !== port) return false
  const host = url.hostname.toLowerCase()
  return name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name
}

/** Throws SETTINGS_INVALID for what cannot be a branch, a tag or a whole commit id (see git-check-ref-format). */
export function checkRef(ref: string): void {
  const isWellFormed =
    /^[\w./@#+=-]+$/.test(ref) && !/^[-+./]|\.\.|\/\/|\/\.|@\{|\.lock(?:\/|$)|[./]$/.test(ref)
  if (!isWellFormed || ref === '@') throw invalidPlace('ref', 'it is no name of a branch, a tag or a commit')
}

/** A folder of the repository without a slash at its end; undefined for the whole. Throws SETTINGS_INVALID. */
export function checkFolder(path: string | undefined): string | undefined {
  const folder = path?.replace(/\/$/, '')
  if (folder === undefined || folder === '') return undefined
  const problem = filePathProblem(folder)
  if (problem !== undefined) throw invalidPlace('path', `it ${problem}`)
  return folder
}
