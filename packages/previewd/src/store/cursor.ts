import { PreviewdError } from '../errors.ts'

const MAX_CURSOR_LENGTH = 512

/** The place in a list after which the next page begins, as clients see it: opaque. */
export function encodeCursor(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Throws BAD_REQUEST where this is no cursor with members of these types. */
export function decodeCursor(cursor: string, types: readonly ('string' | 'number')[]): (string | number)[] {
  const place = cursor.length <= MAX_CURSOR_LENGTH ? parse(cursor) : undefined
  if (!Array.isArray(place) || place.length !== types.length) throw invalidCursor()
  return place.map((member: unknown, i) => {
    if ((typeof member === 'string' || Number.isSafeInteger(member)) && typeof member === types[i]) {
      return member as string | number
    }
    throw invalidCursor()
  })
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}

function invalidCursor(): PreviewdError {
  return new PreviewdError('BAD_REQUEST', '"cursor" is not one that this server gave.')
}
