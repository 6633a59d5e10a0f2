import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openApiDocument } from './openapi-document.ts'
import { recordExamples } from './record.ts'
import { typesOf } from './types-of.ts'

/**
 * Writes what is generated from the server's schemas: openapi.json here, and the types of the TypeScript client. With
 * `--record` the examples too, from calls to a real server.
 */
const document = await openApiDocument()
write('openapi.json', `${JSON.stringify(document, null, 2)}\n`)
write('../packages/client/src/protocol.ts', typesOf(document))

if (process.argv.includes('--record')) {
  mkdirSync(join(import.meta.dirname, 'examples'), { recursive: true })
  for (const { name, ...example } of await recordExamples()) {
    write(`examples/${name}.json`, `${JSON.stringify(example, null, 2)}\n`)
  }
}

function write(path: string, text: string): void {
  writeFileSync(join(import.meta.dirname, path), text)
}
