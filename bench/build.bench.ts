import { type Context, pushBuilt } from './context.ts'
import { poolUses } from './pool.ts'
import { byTurns, median, type Row, timed, toRow } from './row.ts'
import { edit } from './subject.ts'

/**
 * An edit of a project that is built already: POST to published, beside the project's build script in a shell. Where
 * that script checks types first, previewd checks them beside the build: then it is measured against Vite alone too.
 */
export async function buildBench(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  for (const project of context.projects) {
    const commands = new Set([project.plain.script, 'vite build'])
    for (const command of commands) rows.push(await buildBeside(command, project, context))
  }
  return rows
}

async function buildBeside(
  command: string,
  { subject, plain }: Context['projects'][number],
  { runs, client, rest }: Context,
): Promise<Row> {
  const buildMs: number[] = []
  const before = await poolUses(client.url)
  const samples = await byTurns(runs, {
    rest,
    plain: async (run) => {
      plain.write(edit(subject, `${command} ${run}`))
      return timed(() => plain.shell(command))
    },
    previewd: (run) =>
      timed(async () => {
        const changed = edit(subject, `previewd beside ${command} ${run}`)
        const { status } = await pushBuilt(client, `warm-${subject.name}`, changed)
        if (run > 0) buildMs.push(status.timings.buildMs ?? Number.NaN)
      }),
  })
  const { hits, misses } = await poolUses(client.url)
  return toRow({
    name: `build of a warm project, ${subject.title}: POST to published`,
    unit: 'ms',
    beside: `sh -c "${command}"`,
    samples,
    ...(command === plain.script && { goal: { ratio: 0.75, means: 'at most' } }),
    notes: [
      `of which the build itself: ${median(buildMs).toFixed(0)} ms`,
      `a worker waited for ${hits - before.hits} of ${hits + misses - before.hits - before.misses} builds`,
    ],
  })
}
