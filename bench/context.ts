import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../packages/previewd/test/e2e/browser.ts'
import type { Client, PushAnswer, PushOptions } from '../packages/previewd/test/e2e/client.ts'
import { startDaemonChild } from '../packages/previewd/test/e2e/daemon-child.ts'
import type { Files } from '../packages/previewd/test/e2e/project-files.ts'
import { makePlainProject, type PlainProject } from './plain-project.ts'
import { poolFilled } from './pool.ts'
import { settled } from './process-tree.ts'
import { SESSION_SETTINGS } from './session-settings.ts'
import { type Subject, subjects } from './subject.ts'

/** What every benchmark uses: one daemon in a process of its own, one browser, one folder of plain projects. */
export interface Context extends AsyncDisposable {
  runs: number
  folder: string
  client: Client
  daemonPid: number
  /** Resolves when the server does nothing any more, and its pool is full. */
  rest: () => Promise<void>
  browser: Browser
  projects: { subject: Subject; plain: PlainProject }[]
}

export async function makeContext(runs: number, say: (line: string) => void): Promise<Context> {
  await using opened = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'previewd-bench-'))
  opened.defer(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o711)
  say('starting the server and the browser')
  // No limit on requests: the load test comes from one address.
  const daemon = opened.use(
    await startDaemonChild(join(folder, 'data'), { PREVIEWD_RATE_LIMIT: '1000000000', ...SESSION_SETTINGS }),
  )
  const browser = await launchBrowser()
  opened.defer(() => browser.close())
  const projects: Context['projects'] = []
  for (const subject of subjects()) {
    say(`installing ${subject.title} on both sides`)
    const plain = await makePlainProject(join(folder, 'plain'), subject)
    await pushBuilt(daemon.client, `warm-${subject.name}`, subject.files)
    projects.push({ subject, plain })
  }
  const kept = opened.move()
  return {
    runs,
    folder,
    client: daemon.client,
    daemonPid: daemon.pid,
    rest: async () => {
      await poolFilled(daemon.client.url)
      await settled(daemon.pid)
    },
    browser,
    projects,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Pushes and waits for the build; throws where it did not succeed, since a failed build is no measurement. */
export async function pushBuilt(
  client: Client,
  id: string,
  files: Files,
  options: PushOptions = {},
): Promise<PushAnswer> {
  const answer = await client.push(id, files, { ...options, wait: 'built' })
  if (answer.code !== 200 || answer.status.build?.state !== 'succeeded') {
    throw new Error(`${id} was not built: ${JSON.stringify(answer.problem ?? answer.status, null, 2)}`)
  }
  return answer
}
