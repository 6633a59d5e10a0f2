import { join } from 'node:path'
import { type Context, pushBuilt } from './context.ts'
import { makePlainProject } from './plain-project.ts'
import { byTurns, type Row, toRow } from './row.ts'
import { show, showLive, startSession, stopSession, untilSeen } from './session-steps.ts'
import { editText, type Subject } from './subject.ts'

/** Small ones; each run adds another, so that its environment is one that nobody has had. */
const PACKAGES = [
  'ms',
  'clsx',
  'nanoid',
  'mitt',
  'classnames',
  'dayjs',
  'slugify',
  'kleur',
  'deepmerge',
  'p-limit',
]

/**
 * A package that the machine has, added to a project with a live session in the batch that imports it, until the open
 * page shows it; beside `vite` with the package installed before, which still has to bundle it.
 */
export async function packageBench(context: Context): Promise<Row[]> {
  const { runs, rest, client, browser, folder } = context
  const template = context.projects[0]?.subject
  if (!template) return []
  const all = { ...template.files, ...manifestWith(template, PACKAGES) }
  const plain = await makePlainProject(join(folder, 'plain'), {
    ...template,
    name: 'with-packages',
    files: all,
  })
  await pushBuilt(client, 'all-packages', all)
  await pushBuilt(client, 'adds-packages', template.files)
  await using opened = new AsyncDisposableStack()
  const server = opened.use(await plain.serve())
  await startSession(client, 'adds-packages')
  opened.defer(() => stopSession(client, 'adds-packages'))
  const plainPage = await browser.newPage()
  const page = await browser.newPage()
  opened.defer(() => Promise.all([plainPage.close(), page.close()]).then(() => undefined))
  await show(plainPage, server.url, template.text)
  await showLive(page, client.previewUrl('adds-packages'), template.text)
  const samples = await byTurns(Math.min(runs, PACKAGES.length - 1), {
    rest,
    plain: (run) =>
      untilSeen(plainPage, `plain with ${PACKAGES[run]}`, async (text) =>
        plain.write(importing(template, run, text)),
      ),
    previewd: (run) =>
      untilSeen(page, `live with ${PACKAGES[run]}`, async (text) => {
        const files = { ...manifestWith(template, [nameOf(run)]), ...importing(template, run, text) }
        await client.push('adds-packages', files, { wait: 'applied' })
      }),
  })
  return [
    toRow({
      name: `a package added until rendered, package in the store, ${template.title}`,
      unit: 'ms',
      beside: 'vite, the package installed before',
      samples,
      goal: { previewd: 1000, means: 'at most' },
    }),
  ]
}

function nameOf(run: number): string {
  const name = PACKAGES[run]
  if (name === undefined) throw new Error(`there is no package for run ${run}`)
  return name
}

function manifestWith(subject: Subject, names: readonly string[]) {
  const manifest = JSON.parse(String(subject.files['package.json'])) as { dependencies: object }
  const added = Object.fromEntries(names.map((name) => [name, '*']))
  return {
    'package.json': JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, ...added } }),
  }
}

function importing(subject: Subject, run: number, words: string) {
  const edited = editText(subject, words)[subject.component.file]
  return {
    [subject.component.file]: `import * as added from '${nameOf(run)}'\nconsole.debug(added)\n${edited}`,
  }
}
