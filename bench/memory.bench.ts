import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { proportionalKib, withDescendants } from '../packages/previewd/test/e2e/process-tree.ts'
import type { Context } from './context.ts'
import { makePlainProject } from './plain-project.ts'
import { type Row, toRow } from './row.ts'
import { show, startSession, stopSession } from './session-steps.ts'
import { editText, type Subject, serverRendered } from './subject.ts'

const SIDE_BY_SIDE = 6
const GIB_8_IN_MIB = 8 * 1024
/** Longer than what a session waits for before it gives memory back. */
const REST_MS = 15_000
/** Six servers share the processors; how long an edit takes is measured elsewhere. */
const EDIT_TIMEOUT_MS = 90_000

/** Live sessions in 8 GiB, by the memory of several side by side after pages, edits and a rest; beside one `vite` each. */
export async function memoryBench(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  rows.push(await memoryRow(context, serverRendered(), 12))
  const [, builder] = context.projects
  if (builder) rows.push(await memoryRow(context, builder.subject, 40))
  return rows
}

async function memoryRow(context: Context, subject: Subject, least: number): Promise<Row> {
  const perVite = await memoryOfVites(context, subject)
  const { perSession, server } = await memoryOfSessions(context, subject)
  return toRow({
    name: `live sessions in 8 GiB, ${subject.title}`,
    unit: 'sessions',
    beside: 'one vite each',
    samples: {
      previewd: [Math.floor((GIB_8_IN_MIB - server) / perSession)],
      plain: [Math.floor(GIB_8_IN_MIB / perVite)],
    },
    goal: { previewd: least, means: 'at least' },
    notes: [
      `PSS of all processes, ${SIDE_BY_SIDE} side by side, after a page, two edits and a rest each`,
      `${perSession.toFixed(0)} MiB each, ${server.toFixed(0)} MiB for the server`,
      `${perVite.toFixed(0)} MiB for each vite`,
    ],
  })
}

/** MiB of each. */
async function memoryOfVites({ browser, folder }: Context, subject: Subject): Promise<number> {
  await using opened = new AsyncDisposableStack()
  const pids: number[] = []
  for (let index = 0; index < SIDE_BY_SIDE; index++) {
    // Vite refuses to run twice in one folder.
    const own = { ...subject, name: `${subject.name}-${index}` }
    const plain = await makePlainProject(join(folder, 'plain'), own)
    const server = opened.use(await plain.serve())
    pids.push(server.pid)
    await useOnce(browser, server.url, subject, async (words) => plain.write(editText(subject, words)))
  }
  await pause(REST_MS)
  return memoryOf(pids) / SIDE_BY_SIDE
}

/** MiB of each, and of the server without them. */
async function memoryOfSessions({ browser, client, daemonPid, rest }: Context, subject: Subject) {
  const projects = Array.from({ length: SIDE_BY_SIDE }, (_, index) => `memory-${subject.name}-${index}`)
  for (const project of projects) {
    await client.push(project, subject.files, { wait: 'live' })
    // The second start is as every later one: the first has bundled the dependencies, which are kept.
    for (let start = 0; start < 2; start++) {
      await stopSession(client, project)
      await startSession(client, project)
      await useOnce(browser, client.previewUrl(project), subject, async (words) => {
        await client.push(project, editText(subject, words), { wait: 'applied' })
      })
    }
  }
  await rest()
  await pause(REST_MS)
  for (const project of projects) {
    const { session } = await client.status(project)
    if (session.state !== 'live') throw new Error(`${project} has no session any more: ${session.reason}`)
  }
  const withSessions = memoryOf([daemonPid])
  for (const project of projects) await stopSession(client, project)
  await rest()
  const without = memoryOf([daemonPid])
  return {
    perSession: (withSessions - without) / SIDE_BY_SIDE,
    server: memoryOf([daemonPid], { alone: true }),
  }
}

/** A page, and two edits that it shows. */
async function useOnce(
  browser: Browser,
  url: string,
  subject: Subject,
  edit: (words: string) => Promise<void>,
): Promise<void> {
  const page = await browser.newPage()
  await show(page, url, subject.text)
  for (const words of ['Other words.', 'Yet others.']) {
    await edit(words)
    await page.getByText(words).waitFor({ timeout: EDIT_TIMEOUT_MS })
  }
  await page.close()
}

/** Proportional set size of the processes and of all that they have started, in MiB. */
function memoryOf(pids: readonly number[], { alone = false } = {}): number {
  const all = alone ? pids : pids.flatMap(withDescendants)
  return all.reduce((sum, pid) => sum + proportionalKib(pid), 0) / 1024
}
