import { setTimeout as delay } from 'node:timers/promises'
import type { PreviewdError } from '../errors.ts'

const ATTEMPTS = 4
const FIRST_DELAY_MS = 200
const LONGEST_DELAY_MS = 5_000

/** What an attempt failed with: an error to tell, and whether another attempt may do better. */
export interface Failure {
  error: PreviewdError
  mayPass: boolean
  /** What the source asked for, in milliseconds. */
  retryAfterMs?: number | undefined
}

/**
 * Tries until it works, 4 times at most, with pauses that double and vary. `judge` turns what an attempt threw into the
 * error that is told. An attempt that is not settled in `timeoutMs` is given up.
 */
export async function withRetries<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  {
    signal,
    timeoutMs,
    judge,
  }: { signal: AbortSignal; timeoutMs: number; judge: (error: unknown) => Failure },
): Promise<T> {
  for (let tried = 1; ; tried++) {
    signal.throwIfAborted()
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(new Error('Timeout')), timeoutMs)
    try {
      return await attempt(AbortSignal.any([signal, controller.signal]))
    } catch (thrown) {
      signal.throwIfAborted()
      const { error, mayPass, retryAfterMs = 0 } = judge(thrown)
      if (!mayPass || tried === ATTEMPTS) throw error
      await delay(Math.max(pauseMs(tried), Math.min(retryAfterMs, LONGEST_DELAY_MS)), undefined, { signal })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** A body that is sent may take its time on top: a second for each MiB. */
export function writeTimeoutMs(timeoutMs: number, sizeBytes: number): number {
  return timeoutMs + Math.ceil(sizeBytes / 1024)
}

/** Between half of it and all of it, so that those who were refused together do not come back together. */
function pauseMs(tried: number): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** (tried - 1), LONGEST_DELAY_MS)
  return longest * (0.5 + Math.random() / 2)
}
