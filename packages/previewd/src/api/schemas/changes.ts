import { z } from 'zod'
import { status } from './build.ts'
import { waitQuery } from './common.ts'

const path = z.string().meta({ description: 'Relative, with /, at most 1,024 bytes', example: 'src/App.tsx' })

/** The JSON form of a batch; documentation only: the body is read as it streams in. */
export const changesBody = z
  .object({
    files: z
      .record(path, z.union([z.string(), z.object({ encoding: z.literal('base64'), content: z.string() })]))
      .exactOptional(),
    deleted: z.array(path).exactOptional(),
    baseRevision: z
      .number()
      .int()
      .exactOptional()
      .meta({ description: 'Refuse with 409 unless the project is at this revision' }),
  })
  .meta({ id: 'Changes', description: 'One atomic batch' })

export const changesQuery = waitQuery.extend({
  baseRevision: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .meta({ description: 'For bodies that are archives' }),
  replace: z
    .enum(['', '0', '1', 'true', 'false'])
    .optional()
    .meta({ description: 'Delete every file that is not sent: a full upload' }),
})

export const change = z
  .object({ path: z.string(), kind: z.enum(['added', 'modified', 'deleted']) })
  .meta({ id: 'Change' })

export const changesAnswer = z
  .object({
    project: z.string(),
    revision: z.number().int(),
    changed: z.array(change),
    unchanged: z
      .number()
      .int()
      .meta({ description: 'Files whose content was there already, and deletions of files that were not' }),
    status,
    stored: z
      .discriminatedUnion('state', [
        z.object({ state: z.literal('stored') }),
        z.object({ state: z.literal('pending') }),
        z.object({ state: z.literal('failed'), code: z.string(), detail: z.string() }),
      ])
      .exactOptional()
      .meta({
        description:
          'Of projects that are written through: whether the source has it; if not, it is tried again',
      }),
    painted: z.null().exactOptional().meta({ description: 'With wait=painted and nobody to paint' }),
    reason: z.enum(['no_viewer', 'no_session']).exactOptional(),
  })
  .meta({ id: 'ChangesAnswer' })

export const syncBody = z
  .object({
    changedFiles: z.array(z.object({ path: z.string() })).exactOptional(),
    deleted: z.array(z.string()).exactOptional(),
  })
  .meta({ id: 'Sync', description: 'What changed at the source; without a list everything is compared' })

export type SyncBody = z.output<typeof syncBody>

export const manifest = z
  .object({
    revision: z.number().int(),
    files: z.array(z.object({ path: z.string(), size: z.number().int(), sha256: z.string() })),
  })
  .meta({ id: 'Manifest' })
