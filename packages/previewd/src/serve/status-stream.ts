import type { ServerResponse } from 'node:http'
import type { EventType, ProjectEvent } from '../model/event.ts'
import { OWN_HEADERS } from './answers.ts'

const HEARTBEAT_MS = 20_000
const MAX_STREAMS = 5000
const MAX_STREAMS_PER_PROJECT = 200
/** Status changes of an install come in a flood; a page needs a few of them a second. */
const SPACING_MS = 100
const CHANGES_STATUS: ReadonlySet<EventType> = new Set(['status', 'build', 'revision', 'session'])

interface Stream {
  res: ServerResponse
  /** The update as it would be sent now, in JSON. */
  current(): string
  sent: string
  timer: NodeJS.Timeout | undefined
}

/** Event streams of the pages that wait for a preview: each gets its update when it changed, latest wins. */
export class StatusStreams {
  readonly #byProject = new Map<string, Set<Stream>>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #stopListening: () => void
  #count = 0

  constructor(listen: (listener: (event: ProjectEvent) => void) => () => void) {
    this.#stopListening = listen((event) => this.#notice(event))
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  /** Starts a stream, or returns false where there are too many: the page polls then. */
  open(res: ServerResponse, project: string, current: () => string): boolean {
    const streams = this.#byProject.get(project) ?? new Set<Stream>()
    if (this.#count >= MAX_STREAMS || streams.size >= MAX_STREAMS_PER_PROJECT) return false
    const stream: Stream = { res, current, sent: '', timer: undefined }
    this.#byProject.set(project, streams.add(stream))
    this.#count++
    res.on('close', () => this.#forget(project, stream))
    // A failing client ends in `close`; there is nothing else to do about it.
    res.on('error', () => res.destroy())
    res.on('drain', () => this.#send(stream))
    res.writeHead(200, {
      ...OWN_HEADERS,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'X-Accel-Buffering': 'no',
    })
    res.write('retry: 1000\n\n')
    this.#send(stream)
    return true
  }

  close(): void {
    this.#stopListening()
    clearInterval(this.#heartbeat)
    for (const streams of this.#byProject.values()) for (const stream of streams) stream.res.end()
  }

  #notice(event: ProjectEvent): void {
    if (!CHANGES_STATUS.has(event.type)) return
    for (const stream of this.#byProject.get(event.project) ?? []) {
      stream.timer ??= setTimeout(() => this.#send(stream), SPACING_MS).unref()
    }
  }

  #send(stream: Stream): void {
    stream.timer = undefined
    // A client that does not read gets the state of the time at which it reads again.
    if (stream.res.writableNeedDrain) return
    const update = stream.current()
    if (update === stream.sent) return
    stream.sent = update
    stream.res.write(`data: ${update}\n\n`)
  }

  #beat(): void {
    for (const streams of this.#byProject.values()) {
      for (const { res } of streams) if (!res.writableNeedDrain) res.write(':\n\n')
    }
  }

  #forget(project: string, stream: Stream): void {
    clearTimeout(stream.timer)
    const streams = this.#byProject.get(project)
    if (streams?.delete(stream) !== true) return
    this.#count--
    if (streams.size === 0) this.#byProject.delete(project)
  }
}
