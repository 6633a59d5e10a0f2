import { openNoted } from './noted-syncs.ts'

/**
 * A server that is killed before, or after, the files of its second sync are applied. Its arguments are the data
 * directory and `before` or `after`.
 */
const [dataDir = '', when = ''] = process.argv.slice(2)
const kill = () => process.kill(process.pid, 'SIGKILL')
const { store, syncs, source } = await openNoted(dataDir, async (id, batch) => {
  const isSecond = source.text === '2'
  if (isSecond && when === 'before') kill()
  const applied = await store.files.apply(id, batch)
  if (isSecond) kill()
  return applied
})
await syncs.sync('demo', {})
source.text = '2'
await syncs.sync('demo', {})
