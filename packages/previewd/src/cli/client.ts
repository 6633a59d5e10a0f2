import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { ClientConfig } from '../config.ts'
import { CommandFailure, EXIT } from './failure.ts'

interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it comes. */
  stream?: { type: string; content: AsyncIterable<Uint8Array> }
  query?: Record<string, string | number | undefined>
  signal?: AbortSignal
}

/** Talks to a server's API. Every call throws a CommandFailure where the server does not answer or refuses. */
export interface Client {
  readonly url: string
  json<T>(path: string, call?: Call): Promise<T>
  /** The body as text, in chunks as they come. */
  text(path: string, call?: Call): AsyncIterable<string>
}

export function createClient({ url, apiKey }: ClientConfig): Client {
  async function request(path: string, call: Call): Promise<Response> {
    const address = new URL(path, url)
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) address.searchParams.set(name, String(value))
    }
    const answer = await fetch(address, { ...requestInit(call), headers: headers(call, apiKey) }).catch(
      (error: unknown) => {
        if (call.signal?.aborted) throw error
        throw unreachable(url, error)
      },
    )
    if (!answer.ok) throw await refusal(answer)
    return answer
  }

  return {
    url,
    async json<T>(path: string, call: Call = {}) {
      const answer = await request(path, call)
      return (answer.status === 204 ? undefined : await answer.json()) as T
    },
    async *text(path, call = {}) {
      const { body } = await request(path, call)
      if (body) yield* Readable.fromWeb(body as ReadableStream).setEncoding('utf8') as AsyncIterable<string>
    },
  }
}

function headers({ body, stream }: Call, apiKey: string | undefined): Record<string, string> {
  return {
    ...(apiKey && { authorization: `Bearer ${apiKey}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(stream && { 'content-type': stream.type }),
  }
}

function requestInit({ method = 'GET', body, stream, signal }: Call): RequestInit {
  return {
    method,
    ...(signal && { signal }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(stream && { body: stream.content, duplex: 'half' }),
  }
}

function unreachable(url: string, error: unknown): CommandFailure {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return new CommandFailure(
    EXIT.unreachable,
    `No previewd answers at ${url}${code}: start it with "previewd serve", or name another with --url.`,
    'SERVER_UNREACHABLE',
  )
}

/** The server's problem+json as a sentence. */
async function refusal(answer: Response): Promise<CommandFailure> {
  const problem = (await answer.json().catch(() => ({}))) as {
    code?: string
    title?: string
    detail?: string
  }
  const words = problem.detail ?? problem.title ?? `The server answered ${answer.status}.`
  const key = answer.status === 401 ? ' Give a key with --key or PREVIEWD_API_KEY.' : ''
  return new CommandFailure(EXIT.refused, `${words}${key}`, problem.code)
}
