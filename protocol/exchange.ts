/** One call as it went over the wire, as examples/*.json hold it. */
export interface Exchange {
  title: string
  /** `operationId` in openapi.json. */
  operation: string
  request: {
    method: string
    /** With its query. */
    path: string
    headers?: Record<string, string>
    /** JSON. */
    body?: unknown
  }
  response: {
    status: number
    headers: Record<string, string>
    /** JSON where the content type says so, otherwise the text; not there where there is none. */
    body?: unknown
    /** What a `text/event-stream` says, decoded. */
    events?: StreamedEvent[]
  }
}

export interface StreamedEvent {
  type: string
  id?: number
  data: unknown
}

const KEPT_HEADERS = ['content-type', 'location', 'retry-after', 'idempotency-replayed', 'etag']

export interface Call {
  title: string
  operation: string
  method?: string
  path: string
  headers?: Record<string, string>
  body?: unknown
  /** Of a stream that does not end by itself: true with the event after which it is left. */
  last?: (event: StreamedEvent) => boolean
}

/** Makes the call and gives what was sent and what came back. */
export async function exchange(url: string, key: string | undefined, call: Call): Promise<Exchange> {
  const { title, operation, method = 'GET', path, headers, body } = call
  const answer = await fetch(new URL(path, url), {
    method,
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return {
    title,
    operation,
    request: { method, path, ...(headers && { headers }), ...(body !== undefined && { body }) },
    response: {
      status: answer.status,
      headers: Object.fromEntries([...answer.headers].filter(([name]) => KEPT_HEADERS.includes(name))),
      ...(await contentOf(answer, call.last)),
    },
  }
}

async function contentOf(
  answer: Response,
  last: Call['last'],
): Promise<Pick<Exchange['response'], 'body' | 'events'>> {
  const type = answer.headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream')) {
    const text = await textUntil(answer, (soFar) => decodeEvents(soFar).some((event) => last?.(event)))
    return { body: text, events: decodeEvents(text) }
  }
  const text = await answer.text()
  if (text === '' && answer.status === 204) return {}
  return { body: type.includes('json') ? JSON.parse(text) : text }
}

async function textUntil(answer: Response, isDone: (soFar: string) => boolean): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (isDone(text)) break
  }
  return text.slice(0, text.lastIndexOf('\n\n') + 2)
}

/** The whole events of a text/event-stream; comments and `retry` are left out. */
export function decodeEvents(text: string): StreamedEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2)
      const [type, id, data] = [field('event'), field('id'), field('data')]
      if (type === undefined || data === undefined) return []
      return [{ type, ...(id !== undefined && { id: Number(id) }), data: JSON.parse(data) as unknown }]
    })
}
