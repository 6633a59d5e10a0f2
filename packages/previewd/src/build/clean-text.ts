import { stripVTControlCharacters } from 'node:util'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/**
 * Project-written text made safe to print: no escape sequences, no control characters but tab and new line, nothing
 * that turns the direction of text around.
 */
export function cleanText(text: string): string {
  return stripVTControlCharacters(text.replaceAll('\r\n', '\n')).replace(CONTROL, '')
}

/** Cut to `maxBytes` of UTF-8, with a mark where something is missing. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text
  const kept = Buffer.from(text)
    .subarray(0, maxBytes - 3)
    .toString('utf8')
  return `${kept.replace(/\uFFFD$/, '')}…`
}
