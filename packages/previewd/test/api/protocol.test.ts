import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Exchange } from '../../../../protocol/exchange.ts'
import { decodeEvents } from '../../../../protocol/exchange.ts'
import {
  type OpenApiDocument,
  type Operation,
  openApiDocument,
} from '../../../../protocol/openapi-document.ts'
import type { Schema } from '../../../../protocol/types-of.ts'

const folder = join(import.meta.dirname, '../../../../protocol')
const read = (path: string) => JSON.parse(readFileSync(join(folder, path), 'utf8')) as unknown
const document = read('openapi.json') as OpenApiDocument
const examples = readdirSync(join(folder, 'examples')).map(
  (file) => [file, read(`examples/${file}`) as Exchange] as const,
)

test('protocol/openapi.json is what the server says of itself: npm run protocol', async () => {
  expect(document).toEqual(await openApiDocument())
})

test.each(examples)('%s fits the schemas of the server', (_file, example) => {
  expect(misfits(example)).toEqual([])
})

test('every call has an example, but for those that show nothing of a project', () => {
  const shown = new Set(examples.map(([, { operation }]) => operation))
  const missing = operations().flatMap(({ operationId }) => (shown.has(operationId) ? [] : [operationId]))
  expect(missing.toSorted()).toEqual([
    'getConsole',
    'getHealth',
    'getHealthz',
    'getLiveness',
    'getMetrics',
    'getReadiness',
    'getScreenshot',
    'streamEvents',
  ])
})

test.each([
  ['a member that the schema does not have', (body: object) => ({ ...body, more: 1 })],
  ['a member that is missing', ({ revision: _, ...body }: { revision?: number }) => body],
  ['a member of another type', (body: object) => ({ ...body, revision: '1' })],
])('an example with %s is found', (_what, change) => {
  const example = structuredClone(read('examples/apply-changes.json')) as Exchange
  example.response.body = change(example.response.body as object)
  expect(misfits(example)).toHaveLength(1)
})

function operations(): Operation[] {
  return Object.values(document.paths).flatMap((methods) => Object.values(methods))
}

/** What of the example does not fit, in words; nothing where it does. */
function misfits({ operation, request, response }: Exchange): string[] {
  const described = operations().find(({ operationId }) => operationId === operation)
  if (!described) return [`there is no operation ${operation}`]
  const path = new URL(request.path, 'http://localhost').pathname
  const place = Object.entries(document.paths).find(([, methods]) =>
    Object.entries(methods).some(
      ([method, { operationId }]) => method.toUpperCase() === request.method && operationId === operation,
    ),
  )?.[0]
  if (!place || !matches(place, path)) return [`${request.method} ${path} is not ${operation}`]
  // What is refused need not fit.
  const body = response.status < 400 ? describedBody(described.requestBody?.content, request.body) : []
  return [...body, ...answerMisfits(described, response)]
}

function matches(template: string, path: string): boolean {
  const pattern = template.replaceAll('{path}', '.+').replaceAll(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}

function describedBody(content: Record<string, { schema: Schema }> | undefined, body: unknown): string[] {
  const schema = content?.['application/json']?.schema
  return schema && body !== undefined ? problems('request', schema, body) : []
}

function answerMisfits(
  { responses }: Operation,
  { status, headers, body, events }: Exchange['response'],
): string[] {
  const response = responses[status] ?? responses[`${String(status)[0]}XX`]
  if (!response) return [`an answer ${status} is not described`]
  if (body === undefined) return response.content ? [`an answer ${status} has a body`] : []
  const type = headers['content-type']?.split(';')[0] ?? ''
  const schema = response.content?.[type]?.schema
  if (!schema) return [`an answer ${status} of ${type} is not described`]
  if (!events) return problems('answer', schema, body)
  expect(decodeEvents(String(body))).toEqual(events)
  return events.flatMap((event) => problems(`event ${event.type}`, schema, event))
}

function problems(what: string, schema: Schema, value: unknown): string[] {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas })
  const checked = z
    .fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')))
    .safeParse(value)
  return checked.success ? [] : [`${what}: ${z.prettifyError(checked.error)}`]
}
