import type { InstallProgress } from '../model/environment.ts'

export interface FlightListener {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: InstallProgress) => void) | undefined
  onLog?: ((line: string) => void) | undefined
}

interface Flight<T> {
  result: Promise<T>
  controller: AbortController
  listeners: Set<FlightListener>
}

/** Work on the same key runs once: who comes later joins, and it ends early only when everybody has left. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /** Rejects with the listener's own reason where its signal aborts, whatever happens to the work. */
  async run(
    key: string,
    listener: FlightListener,
    work: (shared: Required<FlightListener> & { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    listener.signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, work)
    flight.listeners.add(listener)
    try {
      return await untilAborted(flight.result, listener.signal)
    } finally {
      flight.listeners.delete(listener)
      if (flight.listeners.size === 0) {
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
        flight.controller.abort(new Error('nobody waits for it any more'))
      }
    }
  }

  /** Ends all work; resolves when it has ended. */
  async abortAll(reason: Error): Promise<void> {
    const flights = [...this.#flights.values()]
    for (const { controller } of flights) controller.abort(reason)
    await Promise.allSettled(flights.map(({ result }) => result))
  }

  #start(
    key: string,
    work: (shared: Required<FlightListener> & { signal: AbortSignal }) => Promise<T>,
  ): Flight<T> {
    const controller = new AbortController()
    const listeners = new Set<FlightListener>()
    const result = work({
      signal: controller.signal,
      onProgress: (progress) => {
        for (const { onProgress } of listeners) onProgress?.(progress)
      },
      onLog: (line) => {
        for (const { onLog } of listeners) onLog?.(line)
      },
    })
    // Everybody may have left before it fails.
    result.catch(() => undefined)
    const flight = { result, controller, listeners }
    this.#flights.set(key, flight)
    return flight
  }
}

async function untilAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await result
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([result, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
