import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, startServer, type TestServer } from './server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startServer()
})
afterEach(() => server.close())

describe('/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const document = (await call(server, 'GET', '/openapi.json')).json()
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(await new Validator().validate(document)).toEqual({ valid: true })
  })

  it('describes every call, each with a summary and its problems', async () => {
    const { paths } = (await call(server, 'GET', '/openapi.json')).json()
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, { summary?: string; responses: object }>).map(
        ([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation }),
      ),
    )
    expect(operations.map(({ name }) => name).toSorted()).toMatchInlineSnapshot(`
      [
        "DELETE /v1/keys/{keyId}",
        "DELETE /v1/projects/{id}",
        "DELETE /v1/projects/{id}/grants",
        "DELETE /v1/projects/{id}/session",
        "GET /api/build/{id}/status",
        "GET /health",
        "GET /healthz",
        "GET /livez",
        "GET /logs/{id}",
        "GET /metrics",
        "GET /readyz",
        "GET /v1/events",
        "GET /v1/keys",
        "GET /v1/projects",
        "GET /v1/projects/{id}",
        "GET /v1/projects/{id}/builds",
        "GET /v1/projects/{id}/builds/{buildId}",
        "GET /v1/projects/{id}/console",
        "GET /v1/projects/{id}/diagnostics",
        "GET /v1/projects/{id}/events",
        "GET /v1/projects/{id}/files",
        "GET /v1/projects/{id}/files/{path}",
        "GET /v1/projects/{id}/logs",
        "GET /v1/projects/{id}/screenshot",
        "GET /v1/projects/{id}/session",
        "GET /v1/projects/{id}/status",
        "POST /api/build/{id}",
        "POST /build/{id}",
        "POST /sync-project/{id}",
        "POST /v1/keys",
        "POST /v1/projects/{id}/builds",
        "POST /v1/projects/{id}/builds/{buildId}/cancel",
        "POST /v1/projects/{id}/builds/{buildId}/publish",
        "POST /v1/projects/{id}/changes",
        "POST /v1/projects/{id}/grants",
        "POST /v1/projects/{id}/sync",
        "PUT /v1/projects/{id}",
        "PUT /v1/projects/{id}/session",
      ]
    `)
    for (const { name, summary, responses } of operations) {
      expect(summary, name).toBeTruthy()
      if (name !== 'GET /livez')
        expect(Object.keys(responses), name).toEqual(expect.arrayContaining(['4XX', '5XX']))
    }
  })

  it('refers to no schema that is not there', async () => {
    const { body } = await call(server, 'GET', '/openapi.json')
    const { schemas } = JSON.parse(body).components
    for (const [, name] of body.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(schemas).toHaveProperty(name as string)
    }
  })
})

describe('/docs', () => {
  it('loads nothing from elsewhere', async () => {
    const page = await call(server, 'GET', '/docs')
    expect(page.body).toContain('swagger-ui')
    expect(page.body).not.toMatch(/(?:src|href)="https?:/)
  })
})

describe('docs/api.md', () => {
  const guide = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8')

  it('names every call of /v1 and every original call, and no other', async () => {
    const { paths } = (await call(server, 'GET', '/openapi.json')).json()
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const inGuide = [...guide.matchAll(/`((?:GET|PUT|POST|DELETE) \/[^`]*)`/g)].map(([, name]) => name)
    const isShown = (name: string) => !/^GET \/(livez|readyz|healthz|health|metrics)$/.test(name)
    expect(inGuide.toSorted()).toEqual(calls.filter(isShown).toSorted())
  })

  it('names every setting of a project', async () => {
    const { components } = (await call(server, 'GET', '/openapi.json')).json()
    for (const name of Object.keys(components.schemas.ProjectSettings.properties)) {
      expect(guide, name).toContain(`\`${name}\``)
    }
  })
})
