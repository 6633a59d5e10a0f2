/** What happens to a project, as SSE and WebSocket tell it. Ids grow, also across restarts. */
export type EventType = 'status' | 'revision' | 'build' | 'session' | 'log' | 'diagnostic' | 'console'

export interface ProjectEvent {
  id: number
  type: EventType
  project: string
  at: string
  data: unknown
}

export interface EventBus {
  publish(type: EventType, project: string, data: unknown): void
  /**
   * Events of one project (or all, where it is undefined) newer than `after`, those kept first, then live ones as
   * they come. Ends when the signal aborts. A reader that falls too far behind is ended with `lagged`.
   */
  subscribe(options: { project?: string; after?: number; signal: AbortSignal }): AsyncIterable<ProjectEvent>
  /** Calls back on each event at once; returns the function that ends it. */
  listen(listener: (event: ProjectEvent) => void): () => void
}
