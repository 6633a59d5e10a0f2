import { text } from 'node:stream/consumers'
import type { ReadChanges } from '../../src/api/options.ts'

/** JSON bodies only. */
export const readJsonChanges: ReadChanges = async ({ body }) => {
  const parsed = JSON.parse(await text(body)) as {
    files?: Record<string, string>
    deleted?: string[]
    baseRevision?: number
  }
  return {
    files: Object.entries(parsed.files ?? {}).map(([path, content]) => ({
      path,
      content: Buffer.from(content),
    })),
    deleted: parsed.deleted ?? [],
    ...(parsed.baseRevision !== undefined && { baseRevision: parsed.baseRevision }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}
