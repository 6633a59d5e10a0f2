import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { Context } from './context.ts'
import { startNginx } from './nginx.ts'
import { freePort } from './plain-project.ts'
import { byTurns, type Row, timed, toRow } from './row.ts'
import { seeOnce, startSession, stopSession } from './session-steps.ts'
import type { Subject } from './subject.ts'

const LATENCY_MS = 50
const BYTES_PER_SECOND = 50_000_000 / 8

/**
 * The first render of a live session over a network, beside that of the published build: nginx in front, with TLS and
 * HTTP/2, and the browser's own emulation of the way. Nothing is in the browser's cache.
 */
export async function networkBench(context: Context): Promise<Row[]> {
  const { folder, client, projects } = context
  const port = await freePort()
  await using _ = await startFront(join(folder, 'front'), port, new URL(client.url).port)
  const rows: Row[] = []
  for (const { subject } of projects) {
    for (const isLive of [false, true]) rows.push(await renderRow(context, subject, { port, isLive }))
  }
  return rows
}

/** `isLive`: until the session's own page stands there, and not only the build of the same files. */
async function renderRow(
  { runs, rest, client, browser }: Context,
  subject: Subject,
  { port, isLive }: { port: number; isLive: boolean },
): Promise<Row> {
  const project = `warm-${subject.name}`
  const { hostname } = new URL(client.previewUrl(project))
  const origin = `https://${hostname}:${port}`
  await using opened = new AsyncDisposableStack()
  await seeOnce({ client, browser }, subject)
  await startSession(client, project)
  opened.defer(() => stopSession(client, project))
  const token = await client.grant(project, 'editor')

  const open = async (query: string): Promise<Page> => {
    const browsing = await browser.newContext({ ignoreHTTPSErrors: true })
    opened.defer(() => browsing.close())
    const page = await browsing.newPage()
    await page.goto(`${origin}/${query}`)
    await isShown(page, subject.text, false)
    return page
  }
  const live = await open(`?previewd_grant=${token}`)
  const published = await open('')
  const load = (page: Page, toLive: boolean) => async () => {
    const devtools = await page.context().newCDPSession(page)
    await page.goto('about:blank')
    await devtools.send('Network.clearBrowserCache')
    await devtools.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: LATENCY_MS,
      downloadThroughput: BYTES_PER_SECOND,
      uploadThroughput: BYTES_PER_SECOND,
    })
    return await timed(async () => {
      await page.goto(origin, { waitUntil: 'commit' })
      await isShown(page, subject.text, toLive)
    })
  }
  const samples = await byTurns(runs, { rest, plain: load(published, false), previewd: load(live, isLive) })
  return toRow({
    name: `${isLive ? 'first render of the session' : 'first render'} over a network, ${subject.title}`,
    unit: 'ms',
    beside: 'the published build, the same way',
    samples,
    ...(!isLive && { goal: { ratio: 1.25, means: 'at most' } }),
    notes: [`${LATENCY_MS} ms, 50 Mbit/s, HTTP/2 of nginx, empty cache`],
  })
}

const HAS_VITE = `document.querySelector('script[src*="@vite/client"]') !== null`

async function isShown(page: Page, text: RegExp, isLive: boolean): Promise<void> {
  const isThere = `document.body !== null && ${text}.test(document.body.innerText)`
  await page.waitForFunction(isLive ? `${HAS_VITE} && ${isThere}` : isThere, undefined, { polling: 'raf' })
}

async function startFront(folder: string, port: number, upstream: string): Promise<AsyncDisposable> {
  mkdirSync(folder, { recursive: true })
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const files = ['-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', ...made, '-subj', '/CN=localhost', ...files], { stdio: 'ignore' })
  const http = `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream previewd { server 127.0.0.1:${upstream}; keepalive 64; }
    server {
      listen 127.0.0.1:${port} ssl http2;
      ssl_certificate ${cert}; ssl_certificate_key ${key};
      location / {
        proxy_pass http://previewd; proxy_http_version 1.1; proxy_buffering off;
        proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      }
    }`
  return await startNginx(folder, { http, url: `http://127.0.0.1:${port}` })
}
