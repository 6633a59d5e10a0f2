import { PreviewdError } from './errors.ts'

export interface ClientOptions {
  /** Where the server's API answers, e.g. `http://127.0.0.1:4400`. */
  url: string
  /** What the server's `PREVIEWD_API_KEY` or `POST /v1/keys` gave. Not needed on the server's own machine. */
  apiKey?: string | undefined
  /** Another `fetch`: for proxies, tests, or runtimes that bind it to something. */
  fetch?: typeof fetch
  /** How long one call may take, tries and waits between them included; what it waits for on the server comes on top. */
  timeoutMs?: number
  /** How often a call is tried again when the server is away or busy. */
  retries?: number
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  /** How long this call may take. */
  timeoutMs?: number | undefined
}

export interface ResolvedOptions {
  base: URL
  apiKey: string | undefined
  fetch: typeof fetch
  timeoutMs: number
  retries: number
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_RETRIES = 3

/** Throws INVALID_OPTIONS; what it says holds neither key nor URL, since either may be the secret that is wrong. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { url, apiKey, fetch: own, timeoutMs = DEFAULT_TIMEOUT_MS, retries = DEFAULT_RETRIES } = options
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    // fetch would refuse the header, and say what stands in it.
    throw new PreviewdError('INVALID_OPTIONS', 'apiKey has to be visible ASCII, without spaces or line ends.')
  }
  return {
    base: baseOf(url),
    apiKey,
    // Looked up at each call, and called without a receiver: browsers and edge runtimes refuse another one.
    fetch: own ?? ((input, init) => globalThis.fetch(input, init)),
    timeoutMs,
    retries,
  }
}

function baseOf(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base?.protocol !== 'http:' && base?.protocol !== 'https:') {
    throw new PreviewdError('INVALID_OPTIONS', 'url has to be one of http:// or https://.')
  }
  if (base.username !== '' || base.password !== '') {
    throw new PreviewdError('INVALID_OPTIONS', 'url must hold no user and password: give the key as apiKey.')
  }
  base.search = ''
  base.hash = ''
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  return base
}
