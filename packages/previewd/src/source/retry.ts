import { setTimeout as delay } from 'node:timers/promises'
import type { PreviewdError } from '../errors.ts'

const ATTEMPTS = 4
const PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

/** What an attempt failed with: an error to tell, and whether another attempt may do better. */
export interface Failure {
  error: PreviewdError
  mayPass: boolean
  /** What the source asked for, in milliseconds. */
  retryAfterMs?: number | undefined
}

export interface RequestWaits {
  /** How long one request may take to be answered, and its body to be silent. */
  timeoutMs: number
  /** Before the second attempt; doubles with each. */
  pauseMs?: number | undefined
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
    pauseMs = PAUSE_MS,
    judge,
  }: RequestWaits & { signal: AbortSignal; judge: (error: unknown) => Failure },
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
      const askedMs = Math.min(retryAfterMs, LONGEST_PAUSE_MS)
      await delay(Math.max(varied(pauseMs * 2 ** (tried - 1)), askedMs), undefined, { signal })
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
function varied(pauseMs: number): number {
  return Math.min(pauseMs, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)
}
