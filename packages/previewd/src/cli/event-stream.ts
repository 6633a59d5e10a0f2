export interface ServerSentEvent {
  event: string
  data: string
}

/** Server-sent events out of the text of a response (WHATWG HTML, 9.2), as far as previewd's own answers use them. */
export async function* readEvents(chunks: AsyncIterable<string>): AsyncGenerator<ServerSentEvent> {
  let rest = ''
  for await (const chunk of chunks) {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = field(block, 'data')
      if (data !== undefined) yield { event: field(block, 'event') ?? 'message', data }
    }
  }
}

function field(block: string, name: string): string | undefined {
  const lines = block.split('\n').filter((line) => line.startsWith(`${name}:`))
  if (lines.length === 0) return undefined
  return lines.map((line) => line.slice(name.length + 1).replace(/^ /, '')).join('\n')
}
