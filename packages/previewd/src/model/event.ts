/** What happens to a project, as SSE and WebSocket tell it. Ids grow, also across restarts. */
export type EventType = 'status' | 'revision' | 'build' | 'session' | 'log' | 'diagnostic' | 'console'

export interface ProjectEvent {
  id: number
  type: EventType
  project: string
  at: string
  data: unknown
}

/** Thrown to a subscriber that fell too far behind; what it missed is in the status. */
export class LaggedError extends Error {
  constructor() {
    super('The reader fell too far behind')
    this.name = 'LaggedError'
  }
}

export interface EventBus {
  /** `data` is JSON and must not be changed afterwards: it is kept for replay. */
  publish(type: EventType, project: string, data: unknown): void
  /**
   * Events of one project (or all, where it is undefined) newer than `after`, those kept first, then live ones as
   * they come; only live ones where `after` is undefined. Subscribed from the call on, not from the first read.
   * Ends when the signal aborts. A reader that falls too far behind gets a LaggedError.
   */
  subscribe(options: { project?: string; after?: number; signal: AbortSignal }): AsyncIterable<ProjectEvent>
  /** Calls back on each event at once; returns the function that ends it. */
  listen(listener: (event: ProjectEvent) => void): () => void
  /** Drops what is kept of a project that was deleted. */
  forget(project: string): void
}
