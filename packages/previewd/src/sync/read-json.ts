import { isUtf8 } from 'node:buffer'
import { PreviewdError } from '../errors.ts'
import type { ChangeCollector } from './change-collector.ts'
import { badFile, badMember, checkEncoding, decodeBase64, unknownMember } from './json-members.ts'
import { readJsonStream } from './read-json-stream.ts'

/** Up to here JSON.parse is faster, and holds everything else up for some tens of milliseconds at most. */
const PARSED_AT_ONCE_BYTES = 8 * 1024 * 1024
const BATCH_MEMBERS = new Set(['files', 'deleted', 'baseRevision'])
const FILE_MEMBERS = new Set(['encoding', 'content'])

/** Adds what a JSON body asks for: `{files: {path: text | {encoding, content}}, deleted?: [path], baseRevision?}`. */
export async function readJson(body: AsyncIterable<Buffer>, collector: ChangeCollector): Promise<void> {
  const chunks = body[Symbol.asyncIterator]()
  const begun: Buffer[] = []
  let sizeBytes = 0
  for (;;) {
    const { value, done } = await chunks.next()
    if (done) break
    begun.push(value)
    sizeBytes += value.length
    if (sizeBytes > PARSED_AT_ONCE_BYTES) return readJsonStream(continued(begun, chunks), collector)
  }
  await addBatch(await parse(Buffer.concat(begun), collector), collector)
}

export function addDeletedList(collector: ChangeCollector, deleted: unknown): void {
  if (!Array.isArray(deleted)) throw badMember('"deleted" has to be a list of paths.')
  for (const path of deleted) {
    if (typeof path !== 'string') throw badMember('"deleted" has to be a list of paths.')
    collector.addDeleted(path)
  }
}

async function addBatch(batch: unknown, collector: ChangeCollector): Promise<void> {
  if (!isObject(batch)) throw badMember('The body has to be a JSON object.')
  checkMembers(batch, BATCH_MEMBERS)
  const { files = {}, deleted = [], baseRevision } = batch
  if (!isObject(files)) throw badMember('"files" has to be an object of paths and contents.')
  for (const [path, file] of Object.entries(files)) {
    collector.checkNext(path)
    await collector.addFile(path, toContent(path, file))
  }
  addDeletedList(collector, deleted)
  if (baseRevision !== undefined) collector.setBaseRevision(baseRevision)
}

function toContent(path: string, file: unknown): Buffer {
  if (typeof file === 'string') return Buffer.from(file)
  if (!isObject(file)) throw badFile(path, 'that is neither text nor {encoding, content}')
  checkMembers(file, FILE_MEMBERS)
  const { encoding = 'utf8', content } = file
  if (typeof content !== 'string') throw badFile(path, 'without "content"')
  return checkEncoding(path, encoding) === 'base64' ? decodeBase64(path, content) : Buffer.from(content)
}

function checkMembers(object: Record<string, unknown>, known: ReadonlySet<string>): void {
  for (const name of Object.keys(object)) if (!known.has(name)) throw unknownMember(name)
}

async function parse(body: Buffer, collector: ChangeCollector): Promise<unknown> {
  if (!isUtf8(body)) throw new PreviewdError('INVALID_JSON', 'Text that is not UTF-8.')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    // The other reader tells where, for texts of any length.
    await readJsonStream(continued([body], undefined), collector)
    throw new PreviewdError('INVALID_JSON', `${(error as Error).message}.`, { cause: error })
  }
}

async function* continued(
  begun: Buffer[],
  rest: AsyncIterator<Buffer> | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  yield* begun
  if (rest) yield* { [Symbol.asyncIterator]: () => rest }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
