import { isUtf8 } from 'node:buffer'
import { PreviewdError } from '../errors.ts'
import type { ChangeCollector } from './change-collector.ts'

const MEMBERS = new Set(['files', 'deleted', 'baseRevision'])
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Adds what a JSON body asks for: `{files: {path: text | {encoding, content}}, deleted?: [path], baseRevision?}`. */
export async function readJson(body: Buffer, collector: ChangeCollector): Promise<void> {
  const value = parse(body)
  if (!isObject(value)) throw bad('The body has to be a JSON object.')
  for (const member of Object.keys(value)) {
    if (!MEMBERS.has(member)) throw bad(`"${member.slice(0, 100)}" is not a member of a batch.`)
  }
  const { files = {}, deleted = [], baseRevision } = value
  if (!isObject(files)) throw bad('"files" has to be an object of paths and contents.')
  for (const [path, file] of Object.entries(files)) {
    collector.checkNext(path)
    await collector.addFile(path, toContent(path, file))
  }
  addDeletedList(collector, deleted)
  if (baseRevision !== undefined) collector.setBaseRevision(baseRevision)
}

export function addDeletedList(collector: ChangeCollector, deleted: unknown): void {
  if (!Array.isArray(deleted)) throw bad('"deleted" has to be a list of paths.')
  for (const path of deleted) {
    if (typeof path !== 'string') throw bad('"deleted" has to be a list of paths.')
    collector.addDeleted(path)
  }
}

/** The bytes that a base64 text stands for; undefined where it is not one, by the letter of RFC 4648. */
export function decodeBase64(text: string): Buffer | undefined {
  return text.length % 4 === 0 && BASE64.test(text) ? Buffer.from(text, 'base64') : undefined
}

export function fileMember(path: string, what: string): PreviewdError {
  return bad(`"files" has ${JSON.stringify(path.slice(0, 200))} ${what}.`)
}

function toContent(path: string, file: unknown): Buffer {
  if (typeof file === 'string') return Buffer.from(file)
  if (!isObject(file)) throw fileMember(path, 'that is neither text nor {encoding, content}')
  const { encoding = 'utf8', content } = file
  if (typeof content !== 'string') throw fileMember(path, 'without "content"')
  if (encoding === 'utf8') return Buffer.from(content)
  if (encoding !== 'base64') throw fileMember(path, 'with an "encoding" that is neither "base64" nor "utf8"')
  const decoded = decodeBase64(content)
  if (decoded === undefined) throw fileMember(path, 'whose content is not base64')
  return decoded
}

function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw new PreviewdError('INVALID_JSON', 'The body is not UTF-8.')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new PreviewdError('INVALID_JSON', `${(error as Error).message}.`, { cause: error })
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function bad(detail: string): PreviewdError {
  return new PreviewdError('BAD_REQUEST', detail)
}
