import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import type { ProjectEvent } from '../model/event.ts'
import type { GatewayOptions } from './gateway-options.ts'
import type { OpenViewers, ViewerPage } from './viewers.ts'

/** Where the client script of editors' pages reports. */
export const LIVE_PATH = '/.previewd/live'

const MAX_MESSAGE_BYTES = 4096
const MAX_MESSAGES_PER_SECOND = 20
const MAX_BUFFERED_BYTES = 64 * 1024
/** A machine that was shut without a word is found out within two of them: sooner than who waits for its page gives up. */
const HEARTBEAT_MS = 10_000
/** Changes of a session come in a flood; a page needs the last of them. */
const SPACING_MS = 50

const revision = z.int().min(0)
const message = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    mode: z.enum(['session', 'build']),
    generation: z.string().max(100).optional(),
    revision,
    visible: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('painted'),
    revision,
    errors: z.int().min(0).max(1000),
    visible: z.boolean(),
  }),
])

interface Page {
  socket: WebSocket
  viewer: ViewerPage
  sent: string
  isAlive: boolean
  second: number
  messages: number
}

type LiveOptions = Pick<GatewayOptions, 'projects' | 'sessions' | 'events' | 'wake'> & {
  viewers: OpenViewers
  now: () => number
}

/** The sockets of editors' pages: what they report goes to the viewers, what becomes of the session and the build goes to them. */
export class LiveSockets {
  readonly #options: LiveOptions
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  })
  readonly #pages = new Map<string, Set<Page>>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #stopListening: () => void

  constructor(options: LiveOptions) {
    this.#options = options
    this.#stopListening = options.events.listen((event) => this.#notice(event))
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  /** The request was admitted, and is a WebSocket's; answers 503 where there are too many. */
  open(req: IncomingMessage, socket: Duplex, head: Buffer, project: string): 503 | undefined {
    const viewer = this.#options.viewers.enter(project)
    if (viewer === undefined) return 503
    socket.once('close', () => viewer.leave())
    this.#server.handleUpgrade(req, socket, head, (opened) => {
      const page: Page = { socket: opened, viewer, sent: '', isAlive: true, second: 0, messages: 0 }
      const pages = this.#pages.get(project) ?? new Set<Page>()
      this.#pages.set(project, pages.add(page))
      opened.on('close', () => {
        pages.delete(page)
        if (pages.size === 0) this.#pages.delete(project)
      })
      // A breach of the protocol or of the size ends the socket; there is nobody to tell.
      opened.on('error', () => opened.terminate())
      opened.on('pong', () => (page.isAlive = true))
      opened.on('message', (content, isBinary) => this.#hear(project, page, isBinary ? '' : String(content)))
    })
    return undefined
  }

  close(): void {
    this.#stopListening()
    clearInterval(this.#heartbeat)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const pages of this.#pages.values()) for (const { socket } of pages) socket.close(1001)
    this.#server.close()
  }

  #hear(project: string, page: Page, text: string): void {
    const said = this.#isFlood(page) ? undefined : message.safeParse(parsed(text)).data
    if (said === undefined) page.socket.close(1008)
    else if (said.type === 'hello') {
      page.viewer.shows(said.mode, said.generation)
      this.#options.wake?.(project)
      page.sent = ''
      this.#tell(project, page)
    } else {
      const { revision, errors, visible } = said
      // What the page says of itself is the app's word: no revision is painted that does not exist.
      const newest = this.#options.projects.get(project)?.revision ?? -1
      if (revision <= newest) page.viewer.report({ revision, errors, visible })
    }
  }

  #isFlood(page: Page): boolean {
    const second = Math.floor(this.#options.now() / 1000)
    page.messages = page.second === second ? page.messages + 1 : 1
    page.second = second
    return page.messages > MAX_MESSAGES_PER_SECOND
  }

  #notice({ type, project }: ProjectEvent): void {
    if (type !== 'session' && type !== 'status' && type !== 'revision') return
    if (!this.#pages.has(project) || this.#timers.has(project)) return
    const timer = setTimeout(() => {
      this.#timers.delete(project)
      for (const page of this.#pages.get(project) ?? []) this.#tell(project, page)
    }, SPACING_MS)
    this.#timers.set(project, timer.unref())
  }

  #tell(project: string, page: Page): void {
    const { state, revision } = this.#options.sessions?.view(project) ?? { state: 'off' }
    const published = this.#options.projects.get(project)?.published?.revision
    const generation = this.#options.sessions?.address(project)?.generation
    const update = JSON.stringify({ type: 'session', state, revision, generation, published })
    if (update === page.sent) return
    page.sent = update
    if (page.socket.bufferedAmount > MAX_BUFFERED_BYTES) page.socket.terminate()
    else page.socket.send(update)
  }

  /** Pages whose machine went to sleep say nothing when they go. */
  #beat(): void {
    for (const pages of this.#pages.values()) {
      for (const page of pages) {
        if (!page.isAlive) page.socket.terminate()
        else page.socket.ping()
        page.isAlive = false
      }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
