import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { changesAnswer } from '../../src/api/schemas/changes.ts'
import { resolveConfig } from '../../src/config.ts'
import { type Daemon, startDaemon } from '../../src/daemon.ts'
import { readEvents, takeEvents } from './read-events.ts'

/** The API over everything real; the projects are plain HTML, whose builds need no sandbox. */
let daemon: Daemon
let dataDir: string
let closed: Promise<void> | undefined
const KEY = 'key-of-the-daemon-test'
const authorization = `Bearer ${KEY}`

beforeEach(async () => {
  closed = undefined
  dataDir = await mkdtemp(join(tmpdir(), 'previewd-daemon-'))
  daemon = await startDaemon(
    resolveConfig({
      ...process.env,
      PREVIEWD_DATA: dataDir,
      PREVIEWD_PORT: '0',
      PREVIEWD_API_KEY: KEY,
    }),
    pino({ level: 'silent' }),
  )
})
afterEach(async () => {
  await close()
  await rm(dataDir, { recursive: true })
})

function close(): Promise<void> {
  closed ??= daemon.close()
  return closed
}

function push(files: Record<string, string>, query = '?wait=built'): Promise<Response> {
  return fetch(`${daemon.url}/v1/projects/demo/changes${query}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ files }),
  })
}

/** A GET under another name than the address connected to. */
async function getAs(host: string, path: string): Promise<{ status: number | undefined; body: string }> {
  const { port } = new URL(daemon.url)
  const sent = request({ port, path, headers: { host: `${host}:${port}`, authorization } }).end()
  const [response] = await once(sent, 'response')
  return { status: response.statusCode, body: await text(response) }
}

/** The first bytes of the answer to a request as it is written here. */
async function sendRaw(lines: string[]): Promise<string> {
  const { port } = new URL(daemon.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.end(`${lines.join('\r\n')}\r\n\r\n`)
  return text(socket)
}

describe('the API of a whole server', () => {
  it('takes files, builds them, publishes them and tells each step', async () => {
    await push({ 'index.html': 'one' }, '')
    const headers = { authorization }
    const events = await fetch(`${daemon.url}/v1/projects/demo/events?after=0`, { headers })
    const answer = await push({ 'index.html': '<h1>two</h1>' })
    expect(answer.status).toBe(200)
    const body = (await answer.json()) as object
    expect(changesAnswer.parse(body)).toEqual(body)
    expect(body).toMatchObject({
      revision: 2,
      status: { state: 'ready', published: { revision: 2 }, build: { revision: 2, state: 'succeeded' } },
    })
    const seen: string[] = []
    for await (const { event, data } of readEvents(events)) {
      if (event !== undefined && seen.at(-1) !== event) seen.push(event)
      const { state, revision } = (data ?? {}) as { state?: string; revision?: number }
      if (event === 'status' && state === 'ready' && revision === 2) break
    }
    expect(seen).toEqual(expect.arrayContaining(['revision', 'build', 'status']))
    const preview = await getAs('demo.localhost', '/')
    expect([preview.status, preview.body]).toEqual([200, '<h1>two</h1>'])
    const log = await fetch(`${daemon.url}/v1/projects/demo/logs?follow=1`, { headers })
    expect((await takeEvents(log, Number.POSITIVE_INFINITY)).at(-1)).toMatchObject({
      event: 'end',
      data: { state: 'succeeded' },
    })
  })

  it('does not answer API calls under the name of a preview', async () => {
    await push({ 'index.html': 'page' })
    const { body } = await getAs('demo.localhost', '/v1/projects')
    expect(body).not.toContain('"items"')
  })

  it('opens its WebSocket beside the previews', async () => {
    const socket = new WebSocket(`${daemon.url.replace('http', 'ws')}/v1/events`, {
      headers: { authorization },
    })
    await once(socket, 'open')
    const message = once(socket, 'message')
    await push({ 'index.html': 'page' }, '')
    const [first] = await message
    expect(JSON.parse(String(first))).toMatchObject({
      project: 'demo',
      type: 'revision',
      data: { revision: 1 },
    })
    socket.close()
    const refused = new WebSocket(`${daemon.url.replace('http', 'ws')}/v1/events`)
    const [, response] = await once(refused, 'unexpected-response')
    expect(response.statusCode).toBe(401)
  })

  it('answers clients that offer HTTP/2 as if they had not', async () => {
    // What Java's HttpClient sends with every request, and curl with --http2.
    const offer = ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAEAAEAA']
    for (const [host, answer] of [
      ['127.0.0.1', '"ok"'],
      ['demo.localhost', 'No preview here'],
    ] as const) {
      expect(await sendRaw(['GET /livez HTTP/1.1', `Host: ${host}`, ...offer])).toContain(answer)
    }
  })

  it('refuses a request that names two hosts', async () => {
    const answer = await sendRaw(['GET /livez HTTP/1.1', 'Host: 127.0.0.1', 'host: demo.localhost'])
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('lets connections that are in use end with an answer', async () => {
    await push({ 'index.html': 'page' })
    // A connection for each: one that was answered for the last time is followed by a new one, which may be too late.
    const kept = ['demo.localhost', '127.0.0.1'].map((host) => ({
      host,
      agent: new Agent({ keepAlive: true }),
    }))
    const getAgain = async ({ host, agent }: (typeof kept)[number]) => {
      const sent = request({ port: new URL(daemon.url).port, path: '/livez', headers: { host }, agent }).end()
      const [response] = await once(sent, 'response')
      await text(response)
      return response.headers.connection
    }
    expect(await Promise.all(kept.map(getAgain))).toEqual(['keep-alive', 'keep-alive'])
    const closing = close()
    expect(await Promise.all(kept.map(getAgain))).toEqual(['close', 'close'])
    await closing
    for (const { agent } of kept) agent.destroy()
  })

  it('is not held open by a connection that was opened ahead and asks nothing', async () => {
    const { port } = new URL(daemon.url)
    const ahead = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    await once(ahead, 'connect')
    await close()
    if (!ahead.closed) await once(ahead, 'close')
  })

  it('ends at once, whoever listens or waits', async () => {
    const headers = { authorization }
    await push({ 'index.html': 'page' })
    const gone = new AbortController()
    const closing = Promise.all([
      fetch(`${daemon.url}/v1/projects/demo/events`, { headers }).then((response) => response.text()),
      fetch(`${daemon.url}/v1/projects/demo/events`, { headers, signal: gone.signal }),
      fetch(`${daemon.url}/v1/events`, { headers }).then((response) => takeEvents(response, 1)),
    ])
    await push({ 'index.html': 'other page' })
    await close()
    gone.abort()
    expect((await closing)[0]).toContain('event: status')
  })
})
