import { until } from './events.ts'
import type { CallOptions } from './options.ts'
import type { Build, LogEvent, LogLine, Status } from './protocol.ts'
import { subscribe } from './subscribe.ts'
import type { Transport } from './transport.ts'

const ENDED: ReadonlySet<Build['state']> = new Set(['succeeded', 'failed', 'canceled', 'timed_out'])

/** One run that makes an artifact of the project. */
export class ProjectBuild {
  readonly id: string
  /** As it was when it was asked for: `refresh` asks again. */
  readonly info: Build
  readonly #transport: Transport
  readonly #project: string

  constructor(transport: Transport, project: string, info: Build) {
    this.#transport = transport
    this.#project = project
    this.id = info.id
    this.info = info
  }

  /** What the toolchain wrote, line by line, from the first on and as it is written; ends when the build ends. */
  async *logs({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<LogLine, void, undefined> {
    const path = `v1/projects/${this.#project}/logs`
    const query = { build: this.id, follow: 1 }
    const events = subscribe(this.#transport, path, { query, signal, isLast: ({ event }) => event === 'end' })
    for await (const { event: type, data } of events) {
      const event = { type, data: JSON.parse(data) as unknown } as LogEvent
      if (event.type === 'log') yield event.data
    }
  }

  /** Resolves when it has ended, well or not. Throws TIMEOUT (after two minutes unless given). */
  wait(options: CallOptions = {}): Promise<ProjectBuild> {
    const waiting = { ...options, types: ['build'], what: 'built' } as const
    return until(this.#transport, this.#project, waiting, async (event) => {
      if (event.type === 'build' && event.data.id !== this.id) return undefined
      const now = await this.refresh({ signal: options.signal })
      return ENDED.has(now.info.state) ? now : undefined
    })
  }

  async refresh(options: CallOptions = {}): Promise<ProjectBuild> {
    const { body } = await this.#transport.json<Build>(this.#path(), options)
    return new ProjectBuild(this.#transport, this.#project, body)
  }

  /** Makes this good build the one that viewers see. */
  async publish(options: CallOptions = {}): Promise<Status> {
    const request = { ...options, method: 'POST' } as const
    return (await this.#transport.json<Status>(this.#path('publish'), request)).body
  }

  async cancel(options: CallOptions = {}): Promise<ProjectBuild> {
    const request = { ...options, method: 'POST' } as const
    const { body } = await this.#transport.json<Build>(this.#path('cancel'), request)
    return new ProjectBuild(this.#transport, this.#project, body)
  }

  #path(action?: string): string {
    return `v1/projects/${this.#project}/builds/${this.id}${action ? `/${action}` : ''}`
  }
}
