import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '../packages/client/src/client.ts'
import { templateFiles } from '../packages/previewd/test/e2e/project-files.ts'
import type { Context } from './context.ts'
import { byTurns, type Row, timed, toRow } from './row.ts'

const FILES = 40
/** How fast the model writes: this app takes it twelve seconds. */
const FILE_MS = 300
const TIMEOUT_MS = 60_000

/**
 * An app of 40 files while a model writes it: from its last token until the open page shows everything. The model
 * writes a frame first, then the parts, then the frame with all of them.
 */
export async function streamBench(context: Context): Promise<Row[]> {
  const written = writtenApp()
  const samples = await byTurns(context.runs, {
    rest: context.rest,
    previewd: (run) => sample(context, `stream-${run}`, written, 'tracker'),
    plain: (run) => sample(context, `at-end-${run}`, written, 'at the end'),
  })
  const row = {
    name: `an app of ${FILES} files, streamed: last token to painted`,
    unit: 'ms',
    beside: 'sending all at the end',
    samples,
  } as const
  return [toRow({ ...row, notes: [`a file every ${FILE_MS} ms; its dependencies are known`] })]
}

async function sample(
  { client, browser }: Context,
  id: string,
  written: readonly (readonly [path: string, content: string])[],
  way: 'tracker' | 'at the end',
): Promise<number> {
  const project = await createClient({ url: client.url }).projects.create({ id })
  await using opened = new AsyncDisposableStack()
  opened.defer(() => project.delete())
  const page = await browser.newPage()
  opened.defer(() => page.close())
  await page.goto(client.previewUrl(id))

  const tracker = way === 'tracker' ? project.trackStream() : undefined
  for (const [path, content] of written) {
    await delay(FILE_MS)
    tracker?.fileFinished(path, content)
  }
  return await timed(async () => {
    const sending = tracker ? tracker.finish() : project.applyChanges({ files: Object.fromEntries(written) })
    await page.getByText(`All ${partCount()} parts`).waitFor({ timeout: TIMEOUT_MS })
    await sending
  })
}

/** Files in the order in which they are finished; the app's frame twice. */
function writtenApp(): [path: string, content: string][] {
  const base = Object.entries(template())
  const numbers = Array.from({ length: partCount() }, (_, at) => at + 1)
  const parts = numbers.map((at): [string, string] => [
    `src/parts/Part${at}.tsx`,
    `export default function Part${at}() {\n  return <section>Part ${at}</section>\n}\n`,
  ])
  const imports = numbers.map((at) => `import Part${at} from './parts/Part${at}'\n`).join('')
  const app = (inner: string) => `export default function App() {\n  return <main>${inner}</main>\n}\n`
  const whole = app(`<h1>All ${partCount()} parts</h1>${numbers.map((at) => `<Part${at} />`).join('')}`)
  return [...base, ['src/App.tsx', app('<h1>Soon</h1>')], ...parts, ['src/App.tsx', imports + whole]]
}

/** With the app's own frame they make 40 files. */
function partCount(): number {
  return FILES - 1 - Object.keys(template()).length
}

function template(): Record<string, string> {
  const texts = Object.entries(templateFiles('react-ts')).filter(
    (file): file is [string, string] => typeof file[1] === 'string' && file[0] !== 'src/App.tsx',
  )
  return Object.fromEntries(texts)
}
