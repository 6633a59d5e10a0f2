/** What an answer of the model is made of: words for the person, and files for the project. */
export type Part =
  | { type: 'text'; text: string }
  | { type: 'fileStarted' | 'fileFinished' | 'fileDeleted'; path: string }
  | { type: 'fileChunk'; path: string; text: string }

const TAG = /^<(?:file path="([^"]+)"|\/file|delete path="([^"]+)"\/)>\n$/

/** Takes the answer apart while it comes: `<file path="…">`, `</file>` and `<delete path="…"/>` have lines of their own. */
export async function* partsOf(tokens: AsyncIterable<string>): AsyncGenerator<Part> {
  let path: string | undefined
  for await (const line of linesOf(tokens)) {
    const [isTag, started, deleted] = TAG.exec(line) ?? []
    if (!isTag) {
      yield path === undefined ? { type: 'text', text: line } : { type: 'fileChunk', path, text: line }
    } else if (started) {
      path = started
      yield { type: 'fileStarted', path }
    } else if (deleted) {
      yield { type: 'fileDeleted', path: deleted }
    } else if (path !== undefined) {
      yield { type: 'fileFinished', path }
      path = undefined
    }
  }
}

async function* linesOf(tokens: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const token of tokens) {
    const lines = (rest + token).split(/(?<=\n)/)
    rest = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '')
    yield* lines
  }
  if (rest !== '') yield rest
}
