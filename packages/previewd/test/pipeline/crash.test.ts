import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { makeDataDir, openPipeline } from './pipeline-under-test.ts'

const KILLS = 8

interface Acknowledged {
  revision: number
  number: number
}

/** Runs a server over the data until it has acknowledged so many batches, then kills it at that instant. */
async function runAndKill(
  dataDir: string,
  first: number,
  batches: number,
): Promise<Map<string, Acknowledged>> {
  const script = join(import.meta.dirname, 'crash-child.ts')
  const child = spawn(process.execPath, [script, dataDir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const last = new Map<string, Acknowledged>()
  let count = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [project = '', revision, number] = line.split(' ')
    last.set(project, { revision: Number(revision), number: Number(number) })
    if (++count === batches) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
  return last
}

it('after kill -9 serves the last good build, and builds what was acknowledged', async () => {
  const dataDir = await makeDataDir()
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  let next = 1
  for (let kill = 1; kill <= KILLS; kill++) {
    const acknowledged = await runAndKill(dataDir, next, 3 * kill)
    const under = await openPipeline({ dataDir })
    const pages = async () => {
      const published = [...acknowledged.keys()].filter((project) => under.pipeline.status(project).published)
      return Promise.all(published.map((project) => under.published(project, 'index.html')))
    }
    for (const page of await pages()) expect(page).toMatch(/^page \d+$/)
    await under.pipeline.resume()
    for (const [project, { revision, number }] of acknowledged) {
      expect(await under.pipeline.waitFor(project, revision, 'built', 60_000)).toBe(true)
      await under.pipeline.waitFor(project, under.pipeline.status(project).revision, 'built', 60_000)
      const status = under.pipeline.status(project)
      expect(status).toMatchObject({ state: 'ready', diagnostics: [] })
      expect(status.revision).toBeGreaterThanOrEqual(revision)
      expect(status.published?.revision).toBe(status.revision)
      const page = Number((await under.published(project, 'index.html')).replace('page ', ''))
      expect(page).toBeGreaterThanOrEqual(number)
      next = Math.max(next, page + 1)
    }
    expect(under.store.builds.unfinished()).toEqual([])
    expect(under.errors).toEqual([])
    await under.close()
  }
})
