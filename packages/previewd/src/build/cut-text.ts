/** Text cut to `maxBytes` of UTF-8, with a mark where something is missing. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text
  const kept = Buffer.from(text)
    .subarray(0, maxBytes - 3)
    .toString('utf8')
  return `${kept.replace(/\uFFFD$/, '')}…`
}
