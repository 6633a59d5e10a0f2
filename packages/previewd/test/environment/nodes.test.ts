import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNodes } from '../../src/environment/nodes.ts'
import type { Nodes } from '../../src/model/environment.ts'

let dataDir: string
let nodes: Nodes
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nodes-'))
  // Nothing listens at port 1.
  const registry = { url: 'http://127.0.0.1:1/', token: 'secret', minimumReleaseAgeMinutes: 0 }
  nodes = createNodes({ dataDir, registry })
})
afterEach(async () => {
  nodes.close()
  await rm(dataDir, { recursive: true })
})
const { signal } = new AbortController()

test("without a choice it is the server's own", async () => {
  expect(await nodes.prepare(undefined, signal)).toEqual({ ok: true, diagnostics: [] })
})

test('one that the settings require and that cannot be had is an error', async () => {
  expect(await nodes.prepare({ major: 20, isRequired: true }, signal)).toEqual({
    ok: false,
    diagnostics: [
      {
        origin: 'install',
        severity: 'error',
        code: 'NODE_UNAVAILABLE',
        message: 'Node 20 could not be downloaded: ECONNREFUSED.',
      },
    ],
  })
})

test("one that only a file asks for is a warning, and the server's own is used", async () => {
  const result = await nodes.prepare({ major: 22, isRequired: false }, signal)
  expect(result).toMatchObject({ ok: true, diagnostics: [{ severity: 'warning', code: 'NODE_UNAVAILABLE' }] })
  expect(result).not.toHaveProperty('node')
})

test('who is aborted does not wait', async () => {
  const asked = nodes.prepare({ major: 20, isRequired: true }, AbortSignal.abort(new Error('canceled')))
  await expect(asked).rejects.toThrow('canceled')
})
