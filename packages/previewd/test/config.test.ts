import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { resolveConfig } from '../src/config.ts'

it('takes a data directory that is named from where the server was started', () => {
  expect(resolveConfig({ PREVIEWD_DATA: 'data' }).dataDir).toBe(resolve('data'))
})
