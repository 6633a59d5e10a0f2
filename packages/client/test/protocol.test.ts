import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { typesOf } from '../../../protocol/types-of.ts'

const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8')

test('src/protocol.ts is made of protocol/openapi.json: npm run protocol', () => {
  expect(read('../src/protocol.ts')).toBe(typesOf(JSON.parse(read('../../../protocol/openapi.json'))))
})
