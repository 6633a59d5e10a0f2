import { stripVTControlCharacters } from 'node:util'

// All of C0 and C1 but tab and newline, and the marks that reorder text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text of a terminal without colours, cursor moves and other control characters; tabs and newlines stay. */
export function toPlainText(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, '')
}
