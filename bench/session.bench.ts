import { join } from 'node:path'
import { type Context, pushBuilt } from './context.ts'
import { makePlainProject, type PlainProject } from './plain-project.ts'
import { poolUses } from './pool.ts'
import { byTurns, type Row, timed, toRow } from './row.ts'
import {
  putSession,
  seeOnce,
  show,
  showLive,
  startSession,
  stopSession,
  untilLive,
  untilSeen,
} from './session-steps.ts'
import { editText, type Subject, serverRendered } from './subject.ts'

interface Wake {
  title: string
  /** Until the dev server's own page stands there, and not only the build of the same files. */
  isLive?: true
  /** The files were changed while the session slept. */
  isEdited: boolean
  /** Another project with the same dependencies woke just before, and took the worker that waited. */
  isSecond: boolean
}

/** An edit is seen with a frame, so that single ones differ by 17 ms; and it takes no time to make another. */
const EDITS_PER_RUN = 5

const WAKES: readonly Wake[] = [
  { title: 'wake to rendered', isEdited: false, isSecond: false },
  { title: 'wake to the session rendered', isLive: true, isEdited: false, isSecond: false },
  { title: 'wake to rendered, edited while asleep', isEdited: true, isSecond: false },
  { title: 'wake to rendered, edited while asleep, pool miss', isEdited: true, isSecond: true },
]

/**
 * A live session beside plain `vite`: an edit until the open page shows it (the first byte of the POST, or the write
 * of the file), and a dev server that does not run until its page is rendered.
 */
export async function sessionBench(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  for (const { subject, plain } of context.projects) {
    rows.push(await editRow(context, subject, plain))
    rows.push(await liveRow(context, subject, plain))
    for (const wake of WAKES) rows.push(await wakeRow(context, subject, plain, wake))
  }
  const subject = serverRendered()
  const plain = await makePlainProject(join(context.folder, 'plain'), subject)
  await context.client.push(`warm-${subject.name}`, subject.files, { wait: 'built' })
  // Its build has a server, and never stands in for the session.
  rows.push(await editRow(context, subject, plain, show))
  return rows
}

async function editRow(
  context: Context,
  subject: Subject,
  plain: PlainProject,
  look = showLive,
): Promise<Row> {
  const { runs, rest, client, browser } = context
  const project = `warm-${subject.name}`
  await using opened = new AsyncDisposableStack()
  const server = opened.use(await plain.serve())
  await startSession(client, project)
  opened.defer(() => stopSession(client, project))
  const plainPage = await browser.newPage()
  const page = await browser.newPage()
  opened.defer(() => Promise.all([plainPage.close(), page.close()]).then(() => undefined))
  await show(plainPage, server.url, subject.text)
  await look(page, client.previewUrl(project), subject.text)

  const samples = await byTurns(runs * EDITS_PER_RUN, {
    rest,
    plain: (run) =>
      untilSeen(plainPage, `plain edit ${run}`, async (text) => plain.write(editText(subject, text))),
    previewd: (run) =>
      untilSeen(page, `live edit ${run}`, async (text) => {
        const { code } = await client.push(project, editText(subject, text), { wait: 'applied' })
        if (code !== 200) throw new Error(`the edit was answered with ${code}`)
      }),
  })
  plain.write(subject.files)
  await client.push(project, subject.files, { wait: 'applied' })
  return toRow({
    name: `edit to DOM, warm, ${subject.title}`,
    unit: 'ms',
    beside: 'the write of the file, vite, the same page',
    samples,
    goal: { ratio: 1, means: 'at most' },
  })
}

async function wakeRow(context: Context, subject: Subject, plain: PlainProject, wake: Wake): Promise<Row> {
  const { runs, rest, client, browser } = context
  const project = `warm-${subject.name}`
  const twin = `twin-${subject.name}`
  await seeOnce(context, subject)
  if (wake.isSecond) await pushBuilt(client, twin, subject.files)
  let hits = 0
  const samples = await byTurns(runs, {
    rest,
    plain: async () => {
      await using opened = new AsyncDisposableStack()
      const page = await browser.newPage()
      opened.defer(() => page.close())
      return await timed(async () => {
        const server = opened.use(await plain.serve())
        await show(page, server.url, subject.text)
      })
    },
    previewd: async (run) => {
      const page = await browser.newPage()
      const text = wake.isEdited ? new RegExp(`edited asleep ${run}`) : subject.text
      if (wake.isEdited)
        await client.push(project, editText(subject, `edited asleep ${run}`), { wait: 'applied' })
      if (wake.isSecond) await startSession(client, twin)
      const before = await poolUses(client.url)
      try {
        return await timed(async () => {
          await putSession(client, project)
          const look = wake.isLive || wake.isEdited ? showLive : show
          await look(page, client.previewUrl(project), text)
        })
      } finally {
        if (run > 0) hits += (await poolUses(client.url)).hits - before.hits
        // A browser that loads the next page just then may not close this one.
        await untilLive(page, text)
        await page.close()
        await stopSession(client, project)
        if (wake.isSecond) await stopSession(client, twin)
      }
    },
  })
  return toRow({
    name: `${wake.title}, ${subject.title}`,
    unit: 'ms',
    beside: 'vite, the same page, dependencies bundled before',
    samples,
    ...(!wake.isSecond && !wake.isLive && { goal: { ratio: 0.25, means: 'at most' } }),
    notes: [`a worker waited for ${hits} of ${runs} starts`],
  })
}

/** Until the dev server itself answers, however its page came to the screen: hot updates work from then on. */
async function liveRow(context: Context, subject: Subject, plain: PlainProject): Promise<Row> {
  const { runs, rest, client } = context
  const project = `warm-${subject.name}`
  let hits = 0
  const samples = await byTurns(runs, {
    rest,
    plain: async () => {
      await using opened = new AsyncDisposableStack()
      return await timed(async () => opened.use(await plain.serve()))
    },
    previewd: async (run) => {
      const before = await poolUses(client.url)
      try {
        return await timed(() => startSession(client, project))
      } finally {
        if (run > 0) hits += (await poolUses(client.url)).hits - before.hits
        await stopSession(client, project)
      }
    },
  })
  return toRow({
    name: `wake to a dev server that answers, ${subject.title}`,
    unit: 'ms',
    beside: 'vite, until it says that it listens',
    samples,
    notes: [`a worker waited for ${hits} of ${runs} starts`],
  })
}
