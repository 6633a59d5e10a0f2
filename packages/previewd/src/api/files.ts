import { basename } from 'node:path'
import { Readable } from 'node:stream'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PreviewdError } from '../errors.ts'
import type { Snapshot } from '../model/files.ts'
import { type ApiContext, requireProject } from './context.ts'
import { manifest } from './schemas/changes.ts'
import { problems, projectId, projectParams } from './schemas/common.ts'

const tags = ['Files']

/** The files of the current revision, to read. */
export function fileRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { files } = context

  return async (app) => {
    app.route({
      method: 'GET',
      url: '/v1/projects/:id/files',
      schema: {
        operationId: 'listFiles',
        tags,
        summary: 'The manifest of the current revision',
        params: projectParams,
        response: { 200: manifest, ...problems },
      },
      handler: async (request) => {
        requireProject(context, request.params.id)
        const current = await files.manifest(request.params.id)
        return { revision: current.revision, files: [...current.files.values()] }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/projects/:id/files/*',
      schema: {
        operationId: 'readFile',
        tags,
        summary: 'One file, as bytes',
        params: z.object({ id: projectId, '*': z.string().meta({ description: 'The path of the file' }) }),
        response: {
          200: { description: 'The bytes', content: { 'application/octet-stream': { schema: z.unknown() } } },
          304: z.undefined().describe('The client has this version'),
          ...problems,
        },
      },
      handler: async (request, reply) => {
        const { id, '*': path } = request.params
        requireProject(context, id)
        const snapshot = await files.snapshot(id)
        try {
          const entry = snapshot.files.get(path)
          if (!entry) throw new PreviewdError('FILE_NOT_FOUND', 'The current revision has no such file.')
          const etag = `"${entry.sha256}"`
          reply.headers({
            etag,
            // Project code must never run on the API's origin: bytes to keep, whatever they are.
            'content-type': 'application/octet-stream',
            'content-disposition': attachment(path),
            'cache-control': 'private, no-cache',
          })
          if (matches(request.headers['if-none-match'], etag)) {
            await snapshot[Symbol.asyncDispose]()
            return reply.code(304).send()
          }
          reply.header('content-length', entry.size)
          if (request.method === 'HEAD') {
            await snapshot[Symbol.asyncDispose]()
            // An empty stream: Fastify would count an empty body and say that the length is 0.
            return reply.send(Readable.from([]))
          }
          return reply.send(Readable.from(readAndClose(snapshot, path), { objectMode: false }))
        } catch (error) {
          await snapshot[Symbol.asyncDispose]()
          throw error
        }
      },
    })
  }
}

async function* readAndClose(snapshot: Snapshot, path: string): AsyncGenerator<Buffer> {
  try {
    yield* snapshot.stream(path)
  } finally {
    await snapshot[Symbol.asyncDispose]()
  }
}

function attachment(path: string): string {
  return `attachment; filename*=UTF-8''${encodeURIComponent(basename(path)).replace(/['()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)}`
}

function matches(header: string | undefined, etag: string): boolean {
  return (
    header !== undefined &&
    (header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))
  )
}
