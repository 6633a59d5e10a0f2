import type { CallOptions } from './options.ts'
import type { Request } from './transport.ts'

/** `applied` at once, `built`, `checked` (built, and its types checked), `live` in a session, `painted` on a page. */
export type WaitPoint = 'applied' | 'built' | 'checked' | 'live' | 'painted'

export interface WaitOptions {
  /** Hold the answer until the revision reached this point, or failed on the way. */
  wait?: WaitPoint | undefined
  /** How long to wait for it, 30 s unless given, at most 120 s; without `wait`, how long the call may take. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

const DEFAULT_WAIT_MS = 30_000

/** The part of a request that waits. */
export function waitOf({
  wait,
  timeoutMs,
  signal,
}: WaitOptions): CallOptions & Pick<Request, 'query' | 'waitMs'> {
  if (wait === undefined || wait === 'applied') return { signal, timeoutMs, query: { wait } }
  const waitMs = timeoutMs ?? DEFAULT_WAIT_MS
  return { signal, waitMs, query: { wait, timeoutMs } }
}
