import type { EventBus, EventType, ProjectEvent } from '../model/event.ts'
import { History, type HistoryLimits } from './history.ts'
import { Subscription } from './subscription.ts'

export interface EventBusOptions extends Partial<HistoryLimits> {
  /** Live events that may wait for one reader. */
  queuedEvents?: number
  now?: () => number
}

interface Subscriber {
  project: string | undefined
  subscription: Subscription
}

/**
 * The bus of one server, in memory. Ids start at the time in microseconds and grow by one, so that they grow across
 * restarts too as long as the clock does.
 */
export function createEventBus(options: EventBusOptions = {}): EventBus {
  const { projectEvents = 500, projectBytes = 256 * 1024, totalBytes = 64 * 1024 * 1024 } = options
  const { queuedEvents = 1000, now = Date.now } = options
  const history = new History({ projectEvents, projectBytes, totalBytes })
  const subscribers = new Set<Subscriber>()
  const listeners = new Set<(event: ProjectEvent) => void>()
  let lastId = now() * 1000

  function publish(type: EventType, project: string, data: unknown): void {
    lastId += 1
    const event: ProjectEvent = { id: lastId, type, project, at: new Date(now()).toISOString(), data }
    history.add(event)
    for (const subscriber of subscribers) {
      if (subscriber.project === undefined || subscriber.project === project)
        subscriber.subscription.push(event)
    }
    for (const listener of listeners) listener(event)
  }

  function subscribe({ project, after, signal }: Parameters<EventBus['subscribe']>[0]): Subscription {
    const replayed = after === undefined ? [] : history.since(after, project)
    const onAbort = () => subscription.end()
    const subscription = new Subscription(replayed, queuedEvents, () => {
      subscribers.delete(subscriber)
      signal.removeEventListener('abort', onAbort)
    })
    const subscriber = { project, subscription }
    subscribers.add(subscriber)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) subscription.end()
    return subscription
  }

  function listen(listener: (event: ProjectEvent) => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  return { publish, subscribe, listen, forget: (project) => history.forget(project) }
}
