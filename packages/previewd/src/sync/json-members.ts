import { PreviewdError } from '../errors.ts'

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

export function badMember(detail: string): PreviewdError {
  return new PreviewdError('BAD_REQUEST', detail)
}

export function badFile(path: string, what: string): PreviewdError {
  return badMember(`"files" has ${JSON.stringify(path)} ${what}.`)
}

export function unknownMember(name: string): PreviewdError {
  return badMember(`${JSON.stringify(name.slice(0, 100).toWellFormed())} is not a member of a batch.`)
}

/** Throws where it is neither of the two that a file's text can be in. */
export function checkEncoding(path: string, encoding: unknown): 'utf8' | 'base64' {
  if (encoding === 'utf8' || encoding === 'base64') return encoding
  throw badFile(path, 'with an "encoding" that is neither "base64" nor "utf8"')
}

/** The bytes that the text stands for, by the letter of RFC 4648. */
export function decodeBase64(path: string, text: string): Buffer {
  if (text.length % 4 !== 0 || !BASE64.test(text)) throw badFile(path, 'whose content is not base64')
  return Buffer.from(text, 'base64')
}
