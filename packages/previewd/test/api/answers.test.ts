import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { build, status } from '../../src/api/schemas/build.ts'
import { changesAnswer, manifest } from '../../src/api/schemas/changes.ts'
import { pageOf, problem } from '../../src/api/schemas/common.ts'
import { project, projectWithStatus } from '../../src/api/schemas/project.ts'
import { call, startServer, type TestServer, withDemo } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
  await withDemo(server)
  await call(server, 'PUT', '/v1/projects/demo', {
    body: { name: 'Demo', externalId: 'x', env: { VITE_A: 'a' }, nodeVersion: '24', outputDir: 'dist' },
  })
  await call(server, 'POST', '/v1/projects/demo/builds', { body: { force: true } })
  server.pipeline.finish('demo', 'failed', [
    {
      origin: 'build',
      severity: 'error',
      code: 'X',
      message: 'm',
      file: 'f',
      line: 1,
      column: 2,
      frame: 'f',
      hint: 'h',
    },
  ])
})
afterEach(() => server.close())

describe('an answer', () => {
  it.each<[string, z.ZodType]>([
    ['GET /v1/projects', pageOf(project)],
    ['GET /v1/projects/demo', projectWithStatus],
    ['PUT /v1/projects/demo', projectWithStatus],
    ['GET /v1/projects/demo/status', status],
    ['GET /v1/projects/demo/files', manifest],
    ['GET /v1/projects/demo/builds', pageOf(build)],
    ['POST /v1/projects/demo/builds', build],
    ['GET /v1/projects/nobody', problem],
  ])('to %s has the members that its schema names, and no other', async (name, schema) => {
    const [method, url] = name.split(' ') as ['GET' | 'PUT' | 'POST', string]
    const body = (await call(server, method, url)).json()
    expect(schema.parse(body)).toEqual(body)
  })

  it('to a batch has the members that its schema names, and no other', async () => {
    const body = (
      await call(server, 'POST', '/v1/projects/demo/changes?wait=painted', { body: { files: { a: 'a' } } })
    ).json()
    expect(changesAnswer.parse(body)).toEqual(body)
  })
})
