import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Context, pushBuilt } from './context.ts'
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
  await using nginx = await startNginx(join(folder, 'nginx'))
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

async function startNginx(folder: string): Promise<AsyncDisposable & { url: string }> {
  const port = await freePort()
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(folder, 'www/assets'), { recursive: true })
    writeFileSync(join(folder, 'www', path), content)
  }
  const config = `daemon off; worker_processes 1; user root; pid ${folder}/nginx.pid; error_log stderr;
    events { worker_connections 1024; }
    http {
      types { text/html html; text/javascript js; }
      access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
      open_file_cache max=100; open_file_cache_valid 60s;
      server { listen 127.0.0.1:${port}; root ${folder}/www; }
    }`
  writeFileSync(join(folder, 'nginx.conf'), config)
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  await answers(url)
  return {
    url,
    [Symbol.asyncDispose]: () => {
      child.kill()
      return ended
    },
  }
}

async function answers(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const response = await fetch(url).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('nginx did not answer')
}
