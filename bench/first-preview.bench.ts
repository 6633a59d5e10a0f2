import type { Browser, Page } from 'playwright-core'
import { type Context, pushBuilt } from './context.ts'
import type { PlainProject } from './plain-project.ts'
import { byTurns, median, type Row, timed, toRow } from './row.ts'
import { showLive, stopSession } from './session-steps.ts'
import { edit, type Subject } from './subject.ts'

/**
 * A project that nobody has seen, with dependencies that the machine knows: from the first byte of the POST to its
 * text in Chromium, beside `pnpm install --offline`, `vite` and the same page. Gives also the row of the install
 * alone, which both sides do on the way.
 */
export async function firstPreviewBench(context: Context): Promise<Row[]> {
  const { runs, client, rest, browser, projects } = context
  const rows: Row[] = []
  for (const { subject, plain } of projects) {
    rows.push(await liveRow(context, subject, plain))
    const installs: Row['samples'] = { previewd: [], plain: [] }
    const builds: number[] = []
    const samples = await byTurns(runs, {
      rest,
      plain: async (run) => {
        const installed = (ms: number) => run > 0 && installs.plain.push(ms)
        return await plainFirst(browser, { subject, plain, run }, installed)
      },
      previewd: (run) => {
        const id = `first-${subject.name}-${run}`
        const files = { ...subject.files, ...edit(subject, id) }
        return withTab(browser, async (show) => {
          const { status } = await pushBuilt(client, id, files)
          await show(client.previewUrl(id), subject.text)
          if (run > 0) installs.previewd.push(status.timings.installMs ?? Number.NaN)
          if (run > 0) builds.push(status.timings.buildMs ?? Number.NaN)
        })
      },
    })
    rows.push(
      toRow({
        name: `first preview, published, dependencies known, ${subject.title}: POST to rendered`,
        unit: 'ms',
        beside: 'pnpm install --offline, vite, the same page',
        samples,
        goal: { ratio: 0.6, means: 'at most' },
        notes: [`of which the build: ${median(builds).toFixed(0)} ms`],
      }),
      toRow({
        name: `install of a known environment, ${subject.title}`,
        unit: 'ms',
        beside: 'pnpm install --offline --frozen-lockfile',
        samples: installs,
      }),
    )
  }
  return rows
}

/** The same from a live session, which is what an author sees. */
async function liveRow(
  { runs, rest, client, browser }: Context,
  subject: Subject,
  plain: PlainProject,
): Promise<Row> {
  const samples = await byTurns(runs, {
    rest,
    plain: (run) => plainFirst(browser, { subject, plain, run }),
    previewd: async (run) => {
      const id = `new-${subject.name}-${run}`
      const files = { ...subject.files, ...edit(subject, id) }
      const ms = await withTab(browser, async (_, __, page) => {
        const { code } = await client.push(id, files, { wait: 'live' })
        if (code !== 200) throw new Error(`${id} was answered with ${code}`)
        await showLive(page, client.previewUrl(id), subject.text)
      })
      await stopSession(client, id)
      return ms
    },
  })
  return toRow({
    name: `first preview, live, dependencies known, ${subject.title}: POST to rendered`,
    unit: 'ms',
    beside: 'pnpm install --offline, vite, the same page',
    samples,
    goal: { ratio: 0.35, means: 'at most' },
    notes: ['a worker waits, and a bundle made for projects like it, unless it is the first of its kind'],
  })
}

async function plainFirst(
  browser: Browser,
  { subject, plain, run }: { subject: Subject; plain: PlainProject; run: number },
  onInstalled: (ms: number) => void = () => undefined,
): Promise<number> {
  plain.removeModules()
  plain.write(edit(subject, `first plain ${run}`))
  return await withTab(browser, async (show, after) => {
    onInstalled(await timed(() => plain.install()))
    const server = after.use(await plain.serve())
    await show(server.url, subject.text)
  })
}

type Show = (url: string, text: RegExp) => Promise<void>

/**
 * Milliseconds that the work takes, with a tab that is open already: whoever waits for a preview has one. `show` goes to
 * an address and resolves when the text is seen. What the work defers is done afterwards, untimed.
 */
async function withTab(
  browser: Browser,
  work: (show: Show, after: AsyncDisposableStack, page: Page) => Promise<void>,
): Promise<number> {
  await using after = new AsyncDisposableStack()
  const page = await browser.newPage()
  after.defer(() => page.close())
  return await timed(() =>
    work(
      async (url, text) => {
        await page.goto(url, { waitUntil: 'commit' })
        await page.getByText(text).first().waitFor()
      },
      after,
      page,
    ),
  )
}
