/** Origins that an operator lists: `https://api.example.org`, `https://*.example.org`, `http://127.0.0.1:*`. */
export interface OriginPattern {
  protocol: string
  /** A name or address; `*` for any, `*.example.org` for every name below one. */
  host: string
  /** As in a URL: '' for the port of the protocol; `*` for any. */
  port: string
}

const PATTERN =
  /^(https?):\/\/(\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(\*|\d{1,5}))?\/?$/i

/** Throws a readable Error. */
export function parseOriginPattern(text: string): OriginPattern {
  const [, scheme = '', host = '', port = ''] = PATTERN.exec(text) ?? []
  if (host === '')
    throw new Error(`"${text}" is not an origin like https://api.example.org or http://127.0.0.1:*.`)
  const isOpen = host.startsWith('*')
  const url = new URL(`${scheme}://${isOpen ? 'any' : host}${port === '*' || port === '' ? '' : `:${port}`}`)
  return {
    protocol: url.protocol,
    host: isOpen ? host.toLowerCase() : url.hostname,
    port: port === '*' ? '*' : url.port,
  }
}

/** How the patterns allow a URL's origin: by its very host, by a wildcard for hosts, or not at all. */
export function matchOrigin(patterns: readonly OriginPattern[], url: URL): 'named' | 'wildcard' | undefined {
  const matching = patterns.filter(
    ({ protocol, host, port }) =>
      protocol === url.protocol && (port === '*' || port === url.port) && matchesHost(host, url.hostname),
  )
  if (matching.length === 0) return undefined
  return matching.some(({ host }) => !host.startsWith('*')) ? 'named' : 'wildcard'
}

function matchesHost(pattern: string, host: string): boolean {
  if (pattern === '*') return true
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}
