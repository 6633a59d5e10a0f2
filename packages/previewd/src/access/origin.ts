import { isIP } from 'node:net'

/** Names under which the API may be called, and the browser origins that may call it from elsewhere. */
export interface OriginPolicy {
  allowsHost(host: string | undefined): boolean
  /** A page of the API's own origin, or one that the operator named. */
  allowsOrigin(origin: string, host: string): boolean
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]']

export interface OriginOptions {
  host: string
  publicUrl: string | undefined
  /** `example.org` stands for every port, `example.org:8080` for one. */
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
}

/**
 * The defence against DNS rebinding and against pages that call the API in the name of their visitor. Preview pages
 * are foreign: `demo.localhost` is another name than `localhost`.
 */
export function createOriginPolicy(options: OriginOptions): OriginPolicy {
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl)
  const hosts = new Set([...LOOPBACK_NAMES, ...options.allowedHosts.map((host) => host.toLowerCase())])
  const listening = isIP(options.host) === 6 ? `[${options.host}]` : options.host.toLowerCase()
  if (listening !== '0.0.0.0' && listening !== '[::]') hosts.add(listening)
  if (publicUrl) hosts.add(publicUrl.host)
  const origins = new Set(options.allowedOrigins.map((origin) => new URL(origin).origin))
  if (publicUrl) origins.add(publicUrl.origin)

  return {
    allowsHost(host) {
      const lower = host?.toLowerCase() ?? ''
      return hosts.has(lower) || hosts.has(lower.replace(/:\d{1,5}$/, ''))
    },
    allowsOrigin(origin, host) {
      if (origins.has(origin)) return true
      return origin === `http://${host.toLowerCase()}` || origin === `https://${host.toLowerCase()}`
    },
  }
}
