import { PreviewdTimeoutError } from './errors.ts'
import type { CallOptions } from './options.ts'
import type { ProjectEvent } from './protocol.ts'
import { subscribe } from './subscribe.ts'
import type { Transport } from './transport.ts'

/** What a reader gets; that it fell behind is dealt with here. */
export type ProjectHappening = Exclude<ProjectEvent, { type: 'error' }>
export type ProjectEventType = ProjectHappening['type']

export interface EventOptions {
  /** Only events of these types; the first is the status all the same, unless `after` is given. */
  types?: readonly ProjectEventType[]
  /** Continue after the event of this id; 0 for everything that the server keeps. */
  after?: number
  signal?: AbortSignal
}

/** What happens to a project, from now on and across reconnections; begins with the status. */
export async function* projectEvents(
  transport: Transport,
  project: string,
  { types, after, signal }: EventOptions = {},
): AsyncGenerator<ProjectHappening, void, undefined> {
  const events = subscribe(transport, `v1/projects/${project}/events`, {
    query: { types: types?.join(',') },
    signal,
    lastEventId: after === undefined ? undefined : String(after),
    // Who fell behind begins anew, with the status.
    isGap: ({ event }) => event === 'error',
  })
  for await (const { event, id, data } of events) {
    const number = id === undefined ? {} : { id: Number(id) }
    yield { type: event, ...number, data: JSON.parse(data) as unknown } as ProjectHappening
  }
}

export interface UntilOptions extends CallOptions {
  types: readonly ProjectEventType[]
  /** What is waited for, for the error of the time-out. */
  what: string
}

const DEFAULT_UNTIL_MS = 120_000

/** The first value that `decide` makes of an event; rejects with what it throws, or when the time is over. */
export async function until<T>(
  transport: Transport,
  project: string,
  { types, what, timeoutMs = DEFAULT_UNTIL_MS, signal }: UntilOptions,
  decide: (event: ProjectHappening) => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const over = new AbortController()
  const timer = setTimeout(
    () => over.abort(new PreviewdTimeoutError(`${project} was not ${what} within ${timeoutMs} ms.`)),
    timeoutMs,
  )
  try {
    const either = signal ? AbortSignal.any([signal, over.signal]) : over.signal
    for await (const event of projectEvents(transport, project, { types, signal: either })) {
      const decided = await decide(event)
      if (decided !== undefined) return decided
    }
    throw new PreviewdTimeoutError(`The events of ${project} ended.`)
  } finally {
    clearTimeout(timer)
  }
}
