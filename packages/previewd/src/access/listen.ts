import type { Config } from '../config.ts'

/** Throws a readable Error where the server would be open to others than this machine without a key. */
export function assertListenable(config: Pick<Config, 'host' | 'apiKey'>): void {
  if (config.apiKey !== undefined || isLoopback(config.host)) return
  throw new Error(
    `Without PREVIEWD_API_KEY the server listens on loopback only, and PREVIEWD_HOST is ${config.host}. ` +
      'Set PREVIEWD_API_KEY (16 characters or more), or PREVIEWD_HOST=127.0.0.1.',
  )
}

/** `0.0.0.0`, `::` and names other than localhost are not: what they resolve to is not ours to say. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
