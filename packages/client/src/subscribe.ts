import { PreviewdConnectionError, PreviewdError } from './errors.ts'
import { delayMs, isPassing, sleep } from './retry.ts'
import { readServerSentEvents, type ServerSentEvent } from './sse.ts'
import type { Request, Transport } from './transport.ts'

/** The server sends a heartbeat every 15 s: what is silent for longer hangs. */
const SILENCE_MS = 45_000
const LONGEST_DELAY_MS = 15_000
/** Tries without one event in between: some minutes of a server that is away. */
const MAX_RECONNECTS = 20

export interface Subscription {
  query?: Request['query']
  signal?: AbortSignal | undefined
  /** Continue after this event. */
  lastEventId?: string | undefined
  /** True for the event after which nothing comes. */
  isLast?: (event: ServerSentEvent) => boolean
  /** True for an event after which the stream begins anew, without what was missed. */
  isGap?: (event: ServerSentEvent) => boolean
}

/**
 * A stream of server-sent events that outlives its connections: where one breaks, hangs, or the server restarts, it
 * comes back, further apart each time, and continues after the last event. A first connection that fails is thrown as
 * any other call is; so is an answer that will not change, e.g. that the project is no more.
 */
export async function* subscribe(
  transport: Transport,
  path: string,
  { query, signal, lastEventId, isLast, isGap }: Subscription,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let last = lastEventId
  let wasConnected = false
  for (let failures = 0; ; failures++) {
    const connection = connect(signal)
    try {
      const headers = last === undefined ? {} : { 'last-event-id': last }
      const request = { query, headers, signal: connection.signal, retry: !wasConnected }
      const stream = await transport.stream(path, request)
      wasConnected = true
      for await (const event of readServerSentEvents(stream, connection.heard)) {
        failures = 0
        if (isGap?.(event)) {
          last = undefined
          break
        }
        last = event.id ?? last
        yield event
        if (isLast?.(event)) return
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (!wasConnected || !mayPass(error) || failures >= MAX_RECONNECTS) throw error
    } finally {
      connection.close()
    }
    await sleep(delayMs(failures, LONGEST_DELAY_MS), signal)
  }
}

/** A signal that aborts with the caller's, and when nothing was heard for too long. */
function connect(signal: AbortSignal | undefined) {
  const silence = new AbortController()
  const giveUp = () => silence.abort(new PreviewdConnectionError('The stream fell silent.'))
  let timer = setTimeout(giveUp, SILENCE_MS)
  return {
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    heard: () => {
      clearTimeout(timer)
      timer = setTimeout(giveUp, SILENCE_MS)
    },
    close: () => clearTimeout(timer),
  }
}

/** What broke while it was read is no answer of the server: it may be there again in a moment. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof PreviewdError) || error instanceof PreviewdConnectionError) return true
  return error.code === 'TIMEOUT' || (error.status !== undefined && isPassing(error.status))
}
