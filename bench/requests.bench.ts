import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Context, pushBuilt } from './context.ts'
import { startNginx } from './nginx.ts'
import { freePort } from './plain-project.ts'
import { byTurns, type Row, toRow } from './row.ts'

const run = promisify(execFile)
const SECONDS = 3
const CONNECTIONS = 64

const FILES = {
  'index.html':
    '<!doctype html><title>Load</title><link rel="icon" href="data:,"><script src="assets/app-4f2a9c1d.js"></script><h1>Load</h1>',
  // 60 kB that no server can shorten: random bytes in a comment.
  'assets/app-4f2a9c1d.js': `/* ${randomBytes(30_000).toString('hex').slice(0, 59_980)} */\n`,
}

/** Requests per second of a published page over keep-alive connections, beside nginx with one worker. */
export async function requestsBench({ runs, client, rest, folder }: Context): Promise<Row[]> {
  await pushBuilt(client, 'load', FILES)
  await using nginx = await startFileServer(join(folder, 'nginx'))
  const origin = new URL(client.previewUrl('load'))
  const rows: Row[] = []
  for (const [title, path] of [
    ['a 60 kB asset', '/assets/app-4f2a9c1d.js'],
    ['index.html', '/'],
  ] as const) {
    const samples = await byTurns(runs, {
      rest,
      plain: () => requestsPerSecond(`${nginx.url}${path}`),
      previewd: () => requestsPerSecond(`http://127.0.0.1:${origin.port}${path}`, origin.host),
    })
    rows.push(
      toRow({
        name: `requests of a published page, ${title}`,
        unit: 'requests/s',
        beside: 'nginx, one worker',
        samples,
        goal: { ratio: 0.5, means: 'at least' },
        notes: [`wrk, ${CONNECTIONS} connections, ${SECONDS} s a sample`],
      }),
    )
  }
  return rows
}

async function requestsPerSecond(url: string, host?: string): Promise<number> {
  const headers = host === undefined ? [] : ['-H', `Host: ${host}`]
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...headers, url]
  const { stdout } = await run('wrk', args)
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: .*[1-9]/.exec(stdout)
  if (failed !== null) throw new Error(`${url}: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

async function startFileServer(folder: string): Promise<AsyncDisposable & { url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(folder, 'www/assets'), { recursive: true })
    writeFileSync(join(folder, 'www', path), content)
  }
  const http = `types { text/html html; text/javascript js; }
    sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    open_file_cache max=100; open_file_cache_valid 60s;
    server { listen ${new URL(url).host}; root ${folder}/www; }`
  return Object.assign(await startNginx(folder, { http, url }), { url })
}
