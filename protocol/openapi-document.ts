import { call, startServer } from '../packages/previewd/test/api/server.ts'
import type { Schema } from './types-of.ts'

/** The part of an OpenAPI 3.1 document that is read here. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

export interface Operation {
  operationId: string
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>
}

/** What the server says of itself at /openapi.json. */
export async function openApiDocument(): Promise<OpenApiDocument> {
  const server = await startServer()
  try {
    return (await call(server, 'GET', '/openapi.json')).json()
  } finally {
    await server.close()
  }
}
