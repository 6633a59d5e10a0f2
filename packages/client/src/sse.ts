export interface ServerSentEvent {
  /** `message` where the server names none. */
  event: string
  data: string
  /** Of this event, or the last one that had one. */
  id: string | undefined
}

/** An event that grows beyond this is taken for a server that never ends it. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024

/**
 * The events of a `text/event-stream` as they come (WHATWG HTML, 9.2.6). `onBytes` is called with everything that
 * arrives, heartbeats too. Ends where the stream ends; an event that is not whole by then is left out, as the format asks.
 */
export async function* readServerSentEvents(
  stream: ReadableStream<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const parser = new EventParser()
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onBytes()
      yield* parser.push(decoder.decode(value, { stream: true }))
    }
  } finally {
    // A stream that broke has nothing to cancel, and says so.
    await reader.cancel().catch(() => undefined)
  }
}

class EventParser {
  #rest = ''
  #event = ''
  #data: string[] = []
  #id: string | undefined;

  *push(text: string): Generator<ServerSentEvent, void, undefined> {
    this.#rest += text
    // A CR at the end may be the first half of CRLF.
    const whole = this.#rest.endsWith('\r') ? this.#rest.length - 1 : this.#rest.length
    const lines = this.#rest.slice(0, whole).split(/\r\n|\n|\r/)
    this.#rest = (lines.pop() ?? '') + this.#rest.slice(whole)
    if (this.#rest.length > MAX_EVENT_CHARS) throw new Error('An event of the stream is too large.')
    for (const line of lines) {
      const event = this.#readLine(line)
      if (event) yield event
    }
  }

  #readLine(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#event = value
    if (name === 'data') this.#data.push(value)
    if (name === 'id' && !value.includes('\0')) this.#id = value
    return undefined
  }

  #dispatch(): ServerSentEvent | undefined {
    const [event, data] = [this.#event || 'message', this.#data]
    this.#event = ''
    this.#data = []
    return data.length === 0 ? undefined : { event, data: data.join('\n'), id: this.#id }
  }
}
