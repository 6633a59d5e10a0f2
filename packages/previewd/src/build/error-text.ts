import { toPlainText } from '../lib/plain-text.ts'

/** A place in a file; line and column 1-based. `file` as the tool wrote it. */
export interface Location {
  file: string
  line?: number | undefined
  column?: number | undefined
}

/** One problem read out of a tool's message. */
export interface ErrorText {
  message: string
  frame?: string | undefined
  location?: Location | undefined
}

const MAX_ERRORS_IN_TEXT = 50
const MAX_TEXT = 64 * 1024

/**
 * Reads the message of an error thrown by Vite 4 to 8: of Rollup, Rolldown and oxc (a drawn frame), esbuild (a list),
 * PostCSS, Sass, Babel, swc, Vue and Svelte (a prefix or a frame below). The forms were taken from the tools' output.
 */
export function readErrorText(raw: string): ErrorText[] {
  const text = toPlainText(raw.slice(0, MAX_TEXT).replaceAll('\r\n', '\n')).replace(
    /^Build failed with \d+ errors?:\s*/,
    '',
  )
  const listed = readEsbuildList(text)
  if (listed.length > 0) return listed
  return splitDrawn(text).slice(0, MAX_ERRORS_IN_TEXT).map(readOne)
}

/** `src/App.tsx:2:12: ERROR: Unexpected ";"`, columns from 0. */
function readEsbuildList(text: string): ErrorText[] {
  const found: ErrorText[] = []
  for (const match of text.matchAll(/^([^\n:]{1,500}):(\d+):(\d+): ERROR: ([^\n]+)$/gm)) {
    const [, file = '', line, column, message = ''] = match
    found.push({ message, location: { file, line: Number(line), column: Number(column) + 1 } })
    if (found.length === MAX_ERRORS_IN_TEXT) break
  }
  return found
}

/** Rolldown prints several errors one below another, each with a frame that ends in `───╯`. */
function splitDrawn(text: string): string[] {
  const parts = text.split(/(?<=\n *─{3}╯)\n\s*\n/).filter((part) => part.trim() !== '')
  return parts.length > 0 ? parts : [text]
}

const FRAME_LINE = /^\s*(?:>?\s*\d+\s*[|│]|[|│╭╰╷╵·×]|>?\s*\d+: |,-\[|`----|─{3}╯)/

function readOne(text: string): ErrorText {
  const lines = text.split('\n')
  const stackAt = lines.findIndex((line) => /^\s+at .+[:)]|^Stack backtrace:|^Require stack:/.test(line))
  const body = stackAt > 0 ? lines.slice(0, stackAt) : lines
  const frameAt = body.findIndex((line, index) => index > 0 && FRAME_LINE.test(line))
  const head = frameAt > 0 ? body.slice(0, frameAt) : body
  const frame = frameAt > 0 ? frameOf(body.slice(frameAt)) : undefined
  const { message, location } = readHead(head)
  return { message, frame, location: (frame && drawnLocation(frame)) || location || fileLine(head) }
}

/** Some tools repeat themselves below the frame. */
function frameOf(lines: string[]): string {
  const end = lines.findIndex((line) => /^(?:file: |\w{0,40}Error: |Caused by:)/.test(line))
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .join('\n')
    .trimEnd()
}

/** `╭─[ src/App.tsx:2:13 ]` of oxc, Rolldown and swc, `src/a.scss 2:10  root stylesheet` of Sass. */
function drawnLocation(frame: string): Location | undefined {
  const match =
    /(?:╭─+|,-)\s*\[\s*(.{1,500}?):(\d+):(\d+)\s*\]/.exec(frame) ??
    /^\s+(\S{1,500}) (\d+):(\d+)\s+root stylesheet/m.exec(frame)
  if (!match) return undefined
  return { file: match[1] ?? '', line: Number(match[2]), column: markedColumn(frame) ?? Number(match[3]) }
}

/** swc says column 1 for all of a line; the mark below the line is where it means. */
function markedColumn(frame: string): number | undefined {
  const mark = /^\s*,-\[/.test(frame) ? /^\s+: (\s*)[\^|]/m.exec(frame) : null
  return mark ? (mark[1] ?? '').length + 1 : undefined
}

/** Rollup's own lines `file: /app/src/a.css:3:2`, columns from 0. */
function fileLine(head: string[]): Location | undefined {
  for (const line of head) {
    const match = /^file: (.{1,500}?)(?::(\d+):(\d+|NaN))?$/.exec(line)
    if (match) return location(match[1] ?? '', match[2], match[3], 1)
  }
  return undefined
}

function readHead(head: string[]): ErrorText {
  const kept = head.filter(
    (line) => !/^file: |^This is most likely unintended|^If you do want to ext|^`build\.rol/.test(line),
  )
  let message = kept.join('\n').trim()
  let found: Location | undefined
  for (let previous = ''; previous !== message; ) {
    previous = message
    message = message.replace(PREFIX, '')
    const named = NAMED.exec(message)
    if (named) {
      found ??= { file: named[1] ?? '' }
      message = message.slice(named[0].length)
    }
    const at = PLACE.exec(message)
    if (at && !found) {
      found = location(at[1] ?? at[4] ?? '', at[2] ?? at[5], at[3] ?? at[6], at[4] === undefined ? 0 : 1)
      message = message.slice(at[0].length)
    }
  }
  const cause = /threw an error\s+Caused by:\s*([^\n]+)/.exec(message)?.[1]
  // Vue: the place in parentheses, and the file in a paragraph of its own.
  const said = message.trim().replace(/ \(\d+:\d+\)(?:\n\n\/app\/\S+)?$/, '')
  return { message: cause ?? said, location: found }
}

/** `[plugin vite:css] `, `[postcss] `, `[UNRESOLVED_IMPORT] `, `RolldownError: `, `x `. */
const PREFIX =
  /^(?:\[(?:plugin )?[@\w:./-]{1,80}\](?:: )? *|(?:Uncaught )?(?:\w{0,40}Error|RolldownLog): *|[✗×x✘] +)/
/** `/app/src/a.css:3:3: ` (from 1, PostCSS, Svelte) or `src/a.json (1:7): ` (from 0, Rollup) or a path alone on a line. */
const PLACE =
  /^(?:((?:\/|\.{0,2}[\w@-])[^\s:()]{0,500}\.\w{1,10}):(\d+):(\d+):? |([^\s()]{1,500}) \((\d+):(\d+)\): |(\/app\/[^\s:]{1,500})(?::(\d+):(\d+))?\n)/

/** Babel: the path alone, and the place behind what it says. */
const NAMED = /^(\/app\/[^\s:]{1,500}): (?=\S)/

function location(file: string, line: string | undefined, column: string | undefined, add: number): Location {
  const at = { line: Number(line), column: Number(column) + add }
  return {
    file,
    line: at.line > 0 ? at.line : undefined,
    column: at.column > 0 ? at.column : undefined,
  }
}
