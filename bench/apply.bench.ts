import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Files } from '../packages/previewd/test/e2e/project-files.ts'
import type { Context } from './context.ts'
import { byTurns, type Row, timed, toRow } from './row.ts'

/** A new project of 100 files: POST until it is durable and acknowledged, beside writing the files with fsync. */
export async function applyBench({ runs, client, rest, folder }: Context): Promise<Row[]> {
  const samples = await byTurns(runs, {
    rest,
    plain: (run) => timed(async () => writeAll(join(folder, `written-${run}`), hundredFiles(`plain ${run}`))),
    previewd: async (run) => {
      const id = `hundred-${run}`
      const files = hundredFiles(id)
      const took = await timed(() => client.push(id, files, { wait: 'applied' }))
      // The build that follows must not run beside the next sample.
      await client.push(id, {}, { wait: 'built' })
      return took
    },
  })
  return [
    toRow({
      name: 'POST of a project of 100 files: until applied',
      unit: 'ms',
      beside: 'writing them, with fsync',
      samples,
    }),
  ]
}

/** A page and 99 scripts of 3 kB; each run has its own content. */
function hundredFiles(seed: string): Files {
  const files: Files = { 'index.html': '<!doctype html><title>Hundred</title><h1>Hundred</h1>' }
  for (let index = 1; index < 100; index++) {
    const line = `export const value${index} = '${seed} ${index}'\n`
    files[`src/part-${index % 10}/file-${index}.js`] = line.repeat(Math.ceil(3_000 / line.length))
  }
  return files
}

function writeAll(folder: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    const descriptor = openSync(file, 'w')
    writeSync(descriptor, typeof content === 'string' ? content : content.content)
    fsyncSync(descriptor)
    closeSync(descriptor)
  }
}
