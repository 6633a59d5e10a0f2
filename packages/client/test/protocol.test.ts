import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Exchange } from '../../../protocol/exchange.ts'
import type { OpenApiDocument } from '../../../protocol/openapi-document.ts'
import { typesOf } from '../../../protocol/types-of.ts'

const protocol = join(import.meta.dirname, '../../../protocol')
const types = join(import.meta.dirname, '../src/protocol.ts')
const document = JSON.parse(readFileSync(join(protocol, 'openapi.json'), 'utf8')) as OpenApiDocument
const examples = readdirSync(join(protocol, 'examples')).map(
  (file) => JSON.parse(readFileSync(join(protocol, 'examples', file), 'utf8')) as Exchange,
)

test('src/protocol.ts is made of protocol/openapi.json: npm run protocol', () => {
  expect(readFileSync(types, 'utf8')).toBe(typesOf(document))
})

test('every answer of the examples is of its type', () => {
  const values = examples.flatMap(({ operation, response }) => {
    const type = typeOfAnswer(operation, response)
    return type ? (response.events ?? [response.body]).map((value) => ({ type, value })) : []
  })
  expect(values.length).toBeGreaterThan(50)
  expect(typeErrors(values)).toEqual([])
  const broken = { type: 'Session', value: { state: 'asleep', viewers: 0, restarts: 0 } }
  expect(typeErrors([broken])).toHaveLength(1)
})

/** The name of the type that the document gives an answer; undefined where it is text, bytes or nothing. */
function typeOfAnswer(operation: string, { status, headers }: Exchange['response']): string | undefined {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  const responses = operations.find(({ operationId }) => operationId === operation)?.responses ?? {}
  const content = (responses[status] ?? responses[`${String(status)[0]}XX`])?.content
  return content?.[headers['content-type']?.split(';')[0] ?? '']?.schema.$ref?.split('/').at(-1)
}

/** What the compiler says of values that are given these types. */
function typeErrors(values: readonly { type: string; value: unknown }[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'previewd-types-'))
  try {
    const lines = values.map(
      ({ type, value }, at) => `export const example${at}: protocol.${type} = ${JSON.stringify(value)}`,
    )
    writeFileSync(join(folder, 'protocol.ts'), readFileSync(types))
    writeFileSync(
      join(folder, 'examples.ts'),
      ["import type * as protocol from './protocol'", ...lines].join('\n'),
    )
    const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc')
    const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'preserve']
    const { stdout } = spawnSync(process.execPath, [tsc, ...strict, 'examples.ts'], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout.split('\n').filter((line) => line.includes('error TS'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
