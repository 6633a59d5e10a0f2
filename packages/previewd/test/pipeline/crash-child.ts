import { batchOf, openPipeline } from './pipeline-under-test.ts'

/**
 * A server that is made to be killed: it pushes one revision after the other and says each that was acknowledged.
 * Its arguments are the data directory and the first number to push.
 */
const [dataDir = '', first = '1'] = process.argv.slice(2)
const under = await openPipeline({ dataDir })
under.pipeline.putProject('command', { buildCommand: 'mkdir dist && cp page.html dist/index.html' })
await under.pipeline.resume()
for (let number = Number(first); ; number++) {
  const site = await under.pipeline.applyChanges('site', batchOf({ 'index.html': `page ${number}` }))
  process.stdout.write(`site ${site.revision} ${number}\n`)
  const command = await under.pipeline.applyChanges('command', batchOf({ 'page.html': `page ${number}` }))
  process.stdout.write(`command ${command.revision} ${number}\n`)
  await under.pipeline.waitFor('site', site.revision, 'built', 10_000)
}
