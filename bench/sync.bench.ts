import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startDaemonChild } from '../packages/previewd/test/e2e/daemon-child.ts'
import { type FaultProxy, startFaultProxy } from '../packages/previewd/test/source/fault-proxy.ts'
import { type PlainAzure, plainAzure } from '../packages/previewd/test/source/plain-azure.ts'
import { STORES, type TestStore } from '../packages/previewd/test/source/stores.ts'
import type { Context } from './context.ts'
import { settled } from './process-tree.ts'
import { byTurns, type Row, timed, toRow } from './row.ts'

const PROJECT = 'thousand'
const PREFIX = `${PROJECT}/frontend/`
const FILES = 1000
const CHANGED = 3
const NAMED = 5
const FILE_BYTES = 3000
/** The goal: what changed, and one more. */
const MAX_DOWNLOADS = CHANGED + 1

interface Side {
  store: TestStore
  proxy: FaultProxy
  plain: PlainAzure
  url: string
  pid: number
}

/** A project of 1,000 blobs in the emulator of Azure Storage: syncs, beside what of them the store alone takes. */
export async function syncBench({ runs, folder }: Context): Promise<Row[]> {
  await using store = await STORES.azurite()
  // It counts; both sides go through it.
  await using proxy = await startFaultProxy(store.url)
  const dataDir = join(folder, 'sync-data')
  mkdirSync(dataDir, { mode: 0o711 })
  await using daemon = await startDaemonChild(dataDir, store.environment(proxy.url))
  const side: Side = {
    store,
    proxy,
    plain: plainAzure(proxy.url, 'projects'),
    url: daemon.client.url,
    pid: daemon.pid,
  }
  await daemon.client.settings(PROJECT, {
    framework: 'static',
    source: { kind: 'azure-blob', container: 'projects', prefix: PREFIX },
  })
  await put(side, 'first', FILES)
  await sync(side, {})
  return [await comparison(side, runs), await webhook(side, runs)]
}

async function comparison(side: Side, runs: number): Promise<Row> {
  let most = 0
  const samples = await byTurns(runs, {
    rest: () => settled(side.pid),
    plain: () => timed(() => list(side)),
    previewd: async (run) => {
      await put(side, `compared ${run}`, CHANGED)
      side.proxy.reset()
      const took = await timed(() => sync(side, {}))
      most = Math.max(most, side.proxy.requests.filter(({ isDownload }) => isDownload).length)
      return took
    },
  })
  const verdict = most <= MAX_DOWNLOADS ? 'met' : 'MISSED'
  return toRow({
    name: `sync of ${FILES} blobs of which ${CHANGED} changed: until the revision`,
    unit: 'ms',
    beside: 'listing them',
    samples,
    notes: [`downloads: at most ${most} in a sync (goal: at most ${MAX_DOWNLOADS}, ${verdict})`],
  })
}

async function webhook(side: Side, runs: number): Promise<Row> {
  const paths = Array.from({ length: NAMED }, (_, at) => pathOf(at))
  const samples = await byTurns(runs, {
    rest: () => settled(side.pid),
    plain: () => timed(() => Promise.all(paths.map((path) => side.plain.download(PREFIX + path)))),
    previewd: async (run) => {
      await put(side, `named ${run}`, NAMED)
      return timed(() => sync(side, { changedFiles: paths.map((path) => ({ path })) }))
    },
  })
  return toRow({
    name: `webhook with ${NAMED} changed files: until the revision`,
    unit: 'ms',
    beside: `the ${NAMED} downloads`,
    samples,
  })
}

async function sync({ url }: Side, body: object): Promise<void> {
  const response = await fetch(`${url}/v1/projects/${PROJECT}/sync?wait=applied`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as { changed?: unknown[] }
  if (!answer.changed?.length) throw new Error(`Nothing was synced: ${JSON.stringify(answer)}`)
}

async function put({ store }: Side, seed: string, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const line = `export const value${at} = '${seed}'\n`
    const text = at === 0 ? `<!doctype html><h1>${seed}</h1>` : line.repeat(FILE_BYTES / line.length)
    await store.put(PREFIX + pathOf(at), text)
  }
}

function pathOf(at: number): string {
  return at === 0 ? 'index.html' : `src/part-${at % 10}/file-${at}.js`
}

async function list({ plain }: Side): Promise<void> {
  const count = await plain.count(PREFIX)
  if (count !== FILES) throw new Error(`${count} blobs were listed`)
}
