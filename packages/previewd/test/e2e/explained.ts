import type { Frame, Page } from 'playwright-core'
import { WebSocket } from 'ws'

export interface Explained {
  page: Page
  /** Of the browser: see `openPage`. */
  problems: readonly string[]
  /** The daemon's address. */
  url: string
  project: string
  apiKey?: string
  /** What else was said, by name. */
  more?: () => Record<string, string>
}

const ANSWER_MS = 5_000
/** What is kept of a project's events comes at once. */
const SILENCE_MS = 1_000
const MAX_CHARS = 3_000
const MAX_LINES = 80

/**
 * Runs the part of a test that waits for a page. Where it fails, the error says besides what was on the page and in its
 * frames, what the browser still waited for, how the project stood and what the daemon told of it.
 */
export async function explained<T>(of: Explained, run: () => Promise<T>): Promise<T> {
  const pending = watchPending(of.page)
  try {
    return await run()
  } catch (error) {
    if (error instanceof Error) error.message += await explain(of, pending)
    throw error
  }
}

async function explain(of: Explained, pending: ReadonlySet<string>): Promise<string> {
  const parts: [string, string | Promise<string>][] = [
    ...of.page.frames().map((frame): [string, Promise<string>] => [`frame ${frame.url()}`, contentOf(frame)]),
    ['requests without an answer', [...pending].join('\n')],
    ['problems in the browser', of.problems.slice(-MAX_LINES).join('\n')],
    ['status', ask(of, '/status')],
    ['session', ask(of, '/session')],
    ['build log', ask(of, '/logs')],
    ['events', eventsOf(of)],
    ...Object.entries(of.more?.() ?? {}),
  ]
  const texts = await Promise.all(
    parts.map(async ([name, part]) => `\n--- ${name}\n${await orReason(Promise.resolve(part))}`),
  )
  return `\n${texts.join('\n')}`
}

function watchPending(page: Page): ReadonlySet<string> {
  const pending = new Set<string>()
  const nameOf = (request: { method(): string; url(): string }) => `${request.method()} ${request.url()}`
  page.on('request', (request) => pending.add(nameOf(request)))
  page.on('requestfinished', (request) => pending.delete(nameOf(request)))
  page.on('requestfailed', (request) => pending.delete(nameOf(request)))
  return pending
}

/** A page that hangs does not answer. */
async function contentOf(frame: Frame): Promise<string> {
  const html = await frame.evaluate<string>(
    '[document.readyState, document.visibilityState, document.documentElement.outerHTML].join(" ")',
  )
  return html
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/<script[^>]*>[\s\S]{300,}?<\/script>/g, '<script>…</script>')
    .slice(0, MAX_CHARS)
}

async function ask({ url, project, apiKey }: Explained, path: string): Promise<string> {
  const answer = await fetch(`${url}/v1/projects/${project}${path}`, { headers: authorization(apiKey) })
  return `${answer.status} ${(await answer.text()).slice(-MAX_CHARS)}`
}

async function eventsOf({ url, project, apiKey }: Explained): Promise<string> {
  const lines: string[] = []
  const address = `${url.replace(/^http/, 'ws')}/v1/events?project=${project}&after=0`
  const socket = new WebSocket(address, { headers: authorization(apiKey) })
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  let timer = setTimeout(resolve, ANSWER_MS)
  socket.on('error', reject)
  socket.on('message', (message) => {
    clearTimeout(timer)
    timer = setTimeout(resolve, SILENCE_MS)
    const { at, type, data } = JSON.parse(String(message)) as { at: string; type: string; data: object }
    // Of a status, what the events beside it do not say.
    const { state, revision, painted } = data as Record<string, unknown>
    const told = type === 'status' ? { state, revision, painted } : data
    lines.push(`${at.slice(11)} ${type} ${JSON.stringify(told).slice(0, 400)}`)
  })
  await ended
  socket.terminate()
  return lines.slice(-MAX_LINES).join('\n')
}

function authorization(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
}

async function orReason(asked: Promise<string>): Promise<string> {
  const late = new Promise<string>((resolve) => {
    setTimeout(resolve, ANSWER_MS, 'It did not answer.').unref()
  })
  return Promise.race([asked, late]).catch((error: unknown) => String(error))
}
