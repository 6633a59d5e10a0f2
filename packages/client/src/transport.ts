import { PreviewdConnectionError, PreviewdError, PreviewdTimeoutError } from './errors.ts'
import type { CallOptions, ClientOptions, ResolvedOptions } from './options.ts'
import { resolveOptions } from './options.ts'
import type { Problem } from './protocol.ts'
import { delayMs, isPassing, retryAfterMs, sleep } from './retry.ts'

/** A server that fails otherwise than with a problem may answer with a whole page. */
const MAX_QUOTED_CHARS = 200

export interface Request extends CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  query?: Record<string, string | number | boolean | undefined> | undefined
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is, instead of `body`. */
  form?: FormData
  headers?: Record<string, string>
  /** How long the server was asked to hold its answer. */
  waitMs?: number | undefined
  /** Try again where the server is away or busy; true unless it says otherwise. */
  retry?: boolean
}

/**
 * Makes calls to one server. Every call of the API can be repeated: reads change nothing, PUT and DELETE say what is to
 * be, and each POST gets an Idempotency-Key of its own. So a call is tried again when no answer came, or one that says
 * that the server is busy. Where the caller's signal aborts, it rejects with the signal's reason.
 */
export class Transport {
  // Private for real: neither inspect() nor JSON show it.
  readonly #options: ResolvedOptions

  constructor(options: ClientOptions) {
    this.#options = resolveOptions(options)
  }

  get url(): string {
    return this.#options.base.href
  }

  /** The JSON of the answer, with its HTTP status; undefined where it has no body. */
  async json<T>(path: string, request: Request = {}): Promise<{ status: number; body: T }> {
    return this.#within(request, async (signal) => {
      const answer = await this.#send(path, request, signal)
      if (answer.status === 204) return { status: 204, body: undefined as T }
      const text = await answer.text()
      try {
        return { status: answer.status, body: JSON.parse(text) as T }
      } catch {
        throw new PreviewdError('INVALID_ANSWER', `What answers at ${this.url} is not previewd.`, {
          status: answer.status,
        })
      }
    })
  }

  async text(path: string, request: Request = {}): Promise<string> {
    return this.#within(request, async (signal) => (await this.#send(path, request, signal)).text())
  }

  async bytes(path: string, request: Request = {}): Promise<Uint8Array> {
    return this.#within(
      request,
      async (signal) => new Uint8Array(await (await this.#send(path, request, signal)).arrayBuffer()),
    )
  }

  /** The body as it comes. How long it takes to begin is bounded, how long it lasts is not; `signal` ends it. */
  async stream(path: string, request: Request = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#within(request, async (signal) => {
      const { body } = await this.#send(path, request, signal)
      if (!body) throw new PreviewdError('INVALID_ANSWER', 'The stream has no body.')
      return body
    })
  }

  /** Runs the call with a signal that aborts with the caller's, and when its time is over before it ended. */
  async #within<T>(request: Request, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeoutMs = (request.timeoutMs ?? this.#options.timeoutMs) + (request.waitMs ?? 0)
    const deadline = new AbortController()
    const timer = setTimeout(
      () => deadline.abort(new PreviewdTimeoutError(`${this.url} did not answer within ${timeoutMs} ms.`)),
      timeoutMs,
    )
    const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal
    try {
      return await orAbort(run(signal), signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof PreviewdError) throw error
      throw new PreviewdConnectionError(`The answer of ${this.url} broke off.`, withoutRequest(error))
    } finally {
      clearTimeout(timer)
    }
  }

  /** An answer from 200 to 299; throws the problem otherwise. */
  async #send(path: string, request: Request, signal: AbortSignal): Promise<Response> {
    const init = this.#init(request, signal)
    const retries = request.retry === false ? 0 : this.#options.retries
    for (let attempt = 0; ; attempt++) {
      const tried = await this.#try(path, request, init)
      if (tried instanceof Response && tried.ok) return tried
      const waitMs = attempt < retries ? waitBefore(tried, attempt) : undefined
      if (waitMs === undefined)
        throw tried instanceof Response ? await this.#refusal(tried, request, attempt) : tried
      if (tried instanceof Response) await tried.body?.cancel()
      await sleep(waitMs, signal)
    }
  }

  async #try(path: string, request: Request, init: RequestInit): Promise<Response | PreviewdConnectionError> {
    try {
      return await this.#options.fetch(this.#address(path, request.query), init)
    } catch (error) {
      if (init.signal?.aborted) throw error
      return new PreviewdConnectionError(
        `No previewd answers at ${this.url}${causeCode(error)}.`,
        withoutRequest(error),
      )
    }
  }

  #address(path: string, query: Request['query'] = {}): string {
    const address = new URL(path, this.#options.base)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value))
    }
    return address.href
  }

  #init({ method = 'GET', body, form, headers }: Request, signal: AbortSignal): RequestInit {
    const { apiKey } = this.#options
    return {
      method,
      signal,
      // A redirect would lose the body of a POST, and show the key to somebody else.
      redirect: 'manual',
      headers: {
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'POST' && { 'idempotency-key': randomKey() }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(form && { body: form }),
    }
  }

  async #refusal(answer: Response, { method }: Request, attempt: number): Promise<PreviewdError> {
    const { status } = answer
    if (answer.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      const to = answer.headers.get('location')
      return new PreviewdError(
        'REDIRECTED',
        `${this.url} leads elsewhere${to ? `, to ${to}` : ''}: give that as url.`,
      )
    }
    const text = await answer.text()
    const problem = parseProblem(text)
    if (problem) return new PreviewdError(problem.code, problem.detail, { status, problem })
    const words = text.trim().slice(0, MAX_QUOTED_CHARS)
    const tries = attempt > 0 ? ` to ${attempt + 1} tries` : ''
    return new PreviewdError(
      'INVALID_ANSWER',
      `${this.url} answered ${status}${tries} of ${method ?? 'GET'}${words && `: ${words}`}`,
      { status },
    )
  }
}

/** A `fetch` of the caller's own may not look at its signal. */
function orAbort<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    running.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** How long to wait before the next try; undefined where there should be none. */
function waitBefore(tried: Response | PreviewdConnectionError, attempt: number): number | undefined {
  if (!(tried instanceof Response)) return delayMs(attempt)
  if (!isPassing(tried.status)) return undefined
  const header = tried.headers.get('retry-after')
  const askedMs = retryAfterMs(header)
  // Who asks for longer than anybody waits is told to the caller.
  if (header !== null && askedMs === undefined) return undefined
  return Math.max(askedMs ?? 0, delayMs(attempt))
}

function parseProblem(text: string): Problem | undefined {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null
    return typeof problem?.code === 'string' && typeof problem.detail === 'string'
      ? (problem as Problem)
      : undefined
  } catch {
    return undefined
  }
}

function causeCode(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error && 'code' in cause && cause.code ? ` (${String(cause.code)})` : ''
}

/** Some runtimes hang the whole request on their errors, headers included: only name, words and code are kept. */
function withoutRequest(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined
  const { name, message } = error.cause instanceof Error ? error.cause : error
  const kept = new Error(message)
  kept.name = name
  return kept
}

/** 128 bits; unlike crypto.randomUUID() it is there on pages of plain http too. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
