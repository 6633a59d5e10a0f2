import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { ZodType } from 'zod'
import { withUsedSchemas } from './openapi-schemas.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bodies that the route reads itself, by content type: a schema, or words where there is none. */
    streamedBody?: Readonly<Record<string, ZodType | string>>
    /** Takes an `Idempotency-Key`. */
    idempotent?: boolean
    /** Takes a `Last-Event-ID`. */
    resumable?: boolean
  }
}

const DESCRIPTION = `Files of a web project in, a sandboxed live preview out.

Errors are RFC 9457 problems with a stable \`code\`; [all codes](/docs/errors).
Where the server has a key, send it as \`Authorization: Bearer <key>\`.`

const TAGS = [
  'Projects',
  'Files',
  'Builds',
  'Status',
  'Events',
  'Access',
  'Sessions',
  'Operation',
  'Original calls',
]

const IDEMPOTENCY_KEY = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  pattern: '^[\\x21-\\x7e]+$',
  description: 'A repeat with the same key is told what the first call did, instead of doing it again',
}
const LAST_EVENT_ID = { type: 'string', description: 'The id of the last event that was received' }

const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** OpenAPI 3.1 at /openapi.json from the routes' own schemas, and pages to read and try it at /docs, offline. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'previewd',
        version,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: TAGS.map((name) => ({ name })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }, {}],
    },
    transform: (document) => {
      const { route } = document
      const schema = route.config?.access === 'open' ? { ...document.schema, security: [] } : document.schema
      const streamed = route.config?.streamedBody
      const [json] = Object.values(streamed ?? {})
      const transformed = jsonSchemaTransform({
        ...document,
        schema: json ? { ...schema, body: json } : schema,
      })
      const documented = streamed ? withContent(transformed.schema, streamed) : transformed.schema
      return { ...transformed, schema: withHeaders(documented, route.config) }
    },
    transformObject: (document) => withUsedSchemas(jsonSchemaTransformObject(document)),
  })
  // The contract is the same on every server and holds nothing of this one; a browser cannot send a key with a link.
  app.addHook('onRoute', (route) => {
    if (/^\/docs(\/|$)/.test(route.url)) route.config = { ...route.config, access: 'open' }
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_CSP,
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list' },
  })
  app.route({
    method: 'GET',
    url: '/openapi.json',
    config: { access: 'open' },
    schema: { hide: true },
    handler: async () => app.swagger(),
  })
}

/** Read by hand, since every route of a kind takes them alike. */
function withHeaders(schema: FastifySchema, config: FastifyContextConfig = {}): FastifySchema {
  const properties = {
    ...(config.idempotent && { 'Idempotency-Key': IDEMPOTENCY_KEY }),
    ...(config.resumable && { 'Last-Event-ID': LAST_EVENT_ID }),
  }
  if (Object.keys(properties).length === 0) return schema
  return { ...schema, headers: { type: 'object', properties } }
}

function withContent(
  schema: FastifySchema,
  streamed: Readonly<Record<string, ZodType | string>>,
): FastifySchema {
  const content = Object.entries(streamed).map(([type, described]) => [
    type,
    {
      schema:
        typeof described === 'string'
          ? { type: 'string', format: 'binary', description: described }
          : schema.body,
    },
  ])
  return { ...schema, body: { content: Object.fromEntries(content) } }
}
