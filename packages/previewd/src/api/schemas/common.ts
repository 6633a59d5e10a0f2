import { z } from 'zod'
import { ERRORS, type ErrorCode } from '../../errors.ts'
import { isProjectId } from '../../model/project-id.ts'

export const projectId = z
  .string()
  .refine(
    isProjectId,
    'a project id is a DNS label of 1 to 40 of a-z, 0-9 and -, without "--", and not reserved',
  )
  .meta({ description: 'A DNS label: a-z, 0-9 and -, at most 40 characters, without "--"', example: 'demo' })

export const projectParams = z.object({ id: projectId })

export const buildParams = z.object({
  id: projectId,
  buildId: z.string().meta({ description: '12 characters of a-z and 0-9' }),
})

/** `?flag=1`, `?flag=true` or `?flag`. */
export const flag = z
  .enum(['', '0', '1', 'true', 'false'])
  .transform((value) => value !== '0' && value !== 'false')
  .default(false)

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
})

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    nextCursor: z
      .string()
      .nullable()
      .meta({ description: 'Give it as `cursor` to read on; null at the end' }),
  })
}

export const waitQuery = z.object({
  wait: z
    .enum(['applied', 'built', 'live', 'checked', 'painted'])
    .optional()
    .meta({ description: 'Hold the answer until the revision reached this point or failed' }),
  timeoutMs: z.coerce.number().int().min(0).max(120_000).default(30_000),
})

export const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC' })

const errorCode = z
  .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
  .meta({ id: 'ErrorCode', description: 'docs/errors.md has the meaning of each' })

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: errorCode,
  })
  .loose()
  .meta({ id: 'Problem', description: 'RFC 9457; `code` is stable' })

/** What every call may answer besides its own. */
export const problems = {
  '4xx': {
    description: 'The request was refused; nothing was changed',
    content: { 'application/problem+json': { schema: problem } },
  },
  '5xx': {
    description: 'The server could not answer',
    content: { 'application/problem+json': { schema: problem } },
  },
} as const
