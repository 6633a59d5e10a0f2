import { z } from 'zod'
import { MAX_LINE_BYTES, MAX_PATH_BYTES, ProtocolError } from './protocol.ts'

const id = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const text = z.string().max(64 * 1024)
const short = z.string().max(4 * 1024)
const path = z.string().max(MAX_PATH_BYTES)
const position = z.number().int().min(0).max(0x7fffffff)
/** A hash. */
const bundle = z.string().max(64)
const MAX_MODULES = 20_000
const MAX_ERRORS = 100
const MAX_LINES = 4096

const toolError = z.object({
  name: short.exactOptional(),
  message: text,
  code: short.exactOptional(),
  plugin: short.exactOptional(),
  file: short.exactOptional(),
  line: position.exactOptional(),
  column: position.exactOptional(),
  frame: text.exactOptional(),
  stack: text.exactOptional(),
})

const moduleOfPage = z.object({
  path: z.string(),
  file: path.exactOptional(),
  isMadeUp: z.boolean().exactOptional(),
  importers: z.array(position).max(MAX_MODULES),
})

const messages = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), version: z.number() }),
  z.object({
    type: z.literal('put-done'),
    id,
    failure: z.object({ code: short, message: short }).exactOptional(),
  }),
  z.object({
    type: z.literal('log'),
    id,
    stream: z.enum(['stdout', 'stderr']),
    lines: z.array(z.string().max(MAX_LINE_BYTES)).min(1).max(MAX_LINES),
  }),
  z.object({ type: z.literal('log-cut'), id }),
  z.object({ type: z.literal('serving'), id, bundle: bundle.exactOptional() }),
  z.object({ type: z.literal('rebundled'), id, bundle }),
  z.object({ type: z.literal('freshened'), id, bundle: bundle.exactOptional() }),
  z.object({
    type: z.literal('modules'),
    id,
    modules: z.array(moduleOfPage).max(MAX_MODULES).exactOptional(),
  }),
  z.object({
    type: z.literal('changed'),
    id,
    kind: z.enum(['none', 'hmr', 'reload', 'restart']),
    errors: z.array(toolError).max(MAX_ERRORS),
  }),
  z.object({
    type: z.literal('task-end'),
    id,
    exitCode: z.number().int().min(0).max(255).nullable(),
    signal: z.string().max(16).nullable(),
    errors: z.array(toolError).max(MAX_ERRORS),
    outDir: short.exactOptional(),
  }),
  z.discriminatedUnion('kind', [
    z.object({
      type: z.literal('entry'),
      id,
      kind: z.literal('file'),
      path,
      size: id,
      executable: z.boolean(),
    }),
    z.object({ type: z.literal('entry'), id, kind: z.literal('link'), path, target: short }),
  ]),
  z.object({
    type: z.literal('collect-end'),
    id,
    failure: z
      .object({ reason: z.enum(['missing_output', 'special_file', 'unreadable']), detail: short })
      .exactOptional(),
  }),
])

export type CheckedMessage = z.output<typeof messages>

/** Reads a message of the child, which is hostile. Throws ProtocolError for what is not one. */
export function parseChildMessage(body: Buffer): CheckedMessage {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new ProtocolError(`a message that is not JSON: ${(cause as Error).message.slice(0, 100)}`)
  }
  const parsed = messages.safeParse(value)
  if (!parsed.success)
    throw new ProtocolError(`a message that does not fit: ${parsed.error.issues[0]?.message}`)
  return parsed.data
}
