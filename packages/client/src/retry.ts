const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 8_000
const MAX_RETRY_AFTER_MS = 60_000

/** Answers that say that nothing was done yet, and that another try may go better. */
const PASSING = new Set([429, 502, 503, 504])

export function isPassing(status: number): boolean {
  return PASSING.has(status)
}

/** How long to wait before try number `attempt` + 1: grows twofold, with jitter so that clients do not come in step. */
export function delayMs(attempt: number, longestMs = MAX_DELAY_MS): number {
  const fullMs = Math.min(longestMs, FIRST_DELAY_MS * 2 ** attempt)
  return fullMs / 2 + (Math.random() * fullMs) / 2
}

/** What `Retry-After` asks for, seconds or a date; undefined where it asks for nothing that can be kept. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(ms) && ms >= 0 && ms <= MAX_RETRY_AFTER_MS ? ms : undefined
}

/** Resolves after the time; rejects with the signal's reason where that aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
