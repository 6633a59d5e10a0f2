import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

type Answer = string | LookupAddress[]
type Callback = (error: NodeJS.ErrnoException | null, address: Answer, family?: number) => void

interface Known {
  address: Answer
  family: number | undefined
  at: number
}

const FRESH_MS = 30_000
const MAX_NAMES = 64

/**
 * `dns.lookup` that remembers. Each look-up holds one of libuv's few threads, for seconds where a resolver drops
 * packets, and an install opens dozens of connections to one name at once. A stale answer is given out at once while
 * a new one is fetched.
 */
export function cachedLookup(resolve: typeof lookup = lookup): LookupFunction {
  const known = new Map<string, Known>()
  const waiting = new Map<string, Callback[]>()

  const refresh = (key: string, hostname: string, options: LookupOptions, callback?: Callback) => {
    const queue = waiting.get(key)
    if (queue !== undefined) return void (callback && queue.push(callback))
    const callbacks = callback ? [callback] : []
    waiting.set(key, callbacks)
    resolve(hostname, options, (error, address, family) => {
      waiting.delete(key)
      if (error === null) {
        if (known.size >= MAX_NAMES) known.clear()
        known.set(key, { address, family, at: Date.now() })
      }
      for (const each of callbacks) each(error, address, family)
    })
  }

  return (hostname, options, callback) => {
    const key = `${hostname} ${options.family ?? 0} ${options.all ?? false} ${options.hints ?? 0}`
    const found = known.get(key)
    if (found === undefined) return refresh(key, hostname, options, callback as Callback)
    if (Date.now() - found.at > FRESH_MS) refresh(key, hostname, options)
    process.nextTick(callback as Callback, null, found.address, found.family)
  }
}
