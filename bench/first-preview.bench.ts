import type { Browser } from 'playwright-core'
import { type Context, pushBuilt } from './context.ts'
import { byTurns, median, type Row, timed, toRow } from './row.ts'
import { edit } from './subject.ts'

/**
 * A project that nobody has seen, with dependencies that the machine knows: from the first byte of the POST to its
 * text in Chromium, beside `pnpm install --offline`, `vite` and the same page. Gives also the row of the install
 * alone, which both sides do on the way.
 */
export async function firstPreviewBench({ runs, client, rest, browser, projects }: Context): Promise<Row[]> {
  const rows: Row[] = []
  for (const { subject, plain } of projects) {
    const installs: Row['samples'] = { previewd: [], plain: [] }
    const builds: number[] = []
    const samples = await byTurns(runs, {
      rest,
      plain: async (run) => {
        plain.removeModules()
        plain.write(edit(subject, `first plain ${run}`))
        return withTab(browser, async (show, after) => {
          const installMs = await timed(() => plain.install())
          if (run > 0) installs.plain.push(installMs)
          const server = after.use(await plain.serve())
          await show(server.url, subject.text)
        })
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
        name: `first preview, dependencies known, ${subject.title}: POST to rendered`,
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

type Show = (url: string, text: RegExp) => Promise<void>

/**
 * Milliseconds that the work takes, with a tab that is open already: whoever waits for a preview has one. `show` goes to
 * an address and resolves when the text is seen. What the work defers is done afterwards, untimed.
 */
async function withTab(
  browser: Browser,
  work: (show: Show, after: AsyncDisposableStack) => Promise<void>,
): Promise<number> {
  await using after = new AsyncDisposableStack()
  const page = await browser.newPage()
  after.defer(() => page.close())
  return await timed(() =>
    work(async (url, text) => {
      await page.goto(url, { waitUntil: 'commit' })
      await page.getByText(text).first().waitFor()
    }, after),
  )
}
