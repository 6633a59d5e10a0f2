/** One command of a chain: its text as written, and its words where none of them needs a shell to be understood. */
export interface Command {
  text: string
  words: string[] | null
}

/** A pair of quotes, an escape, or one other character. */
const TOKEN = /'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[\s\S]/g
const MAX_SCRIPT_LENGTH = 10_000

/**
 * Splits a script of package.json at its `&&`. Null where it holds anything else that joins commands or changes the
 * shell (`;`, `|`, `&`, parentheses, new lines, `cd`, `export`): such a script has to run as it is written.
 */
export function splitChain(script: string): Command[] | null {
  if (script.length > MAX_SCRIPT_LENGTH) return null
  const parts: string[] = ['']
  const tokens = script.match(TOKEN) ?? []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? ''
    if (token === '&' && tokens[at + 1] === '&') {
      parts.push('')
      at++
    } else if (/^[&|;()\n`'"]$/.test(token)) {
      return null
    } else {
      parts[parts.length - 1] += token
    }
  }
  const commands = parts.map((text) => ({ text: text.trim(), words: plainWords(text) }))
  return commands.some(({ text }) => text === '' || changesShell(text)) ? null : commands
}

function changesShell(text: string): boolean {
  return /^(?:cd|export|set|unset|source|\.|exit|exec|trap|alias)(?:\s|$)/.test(text)
}

/** The words of a command, or null where an expansion, an assignment or a redirection is among them. */
function plainWords(text: string): string[] | null {
  const words: string[] = []
  for (const part of text.trim().match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []) {
    const bare = part.replace(
      /'([^']*)'|"([^"]*)"/g,
      (_, single?: string, double?: string) => single ?? double ?? '',
    )
    if (/[$`\\<>*?[\]{}~#!]/.test(bare)) return null
    words.push(bare)
  }
  return /^\w+=/.test(words[0] ?? '') ? null : words
}

const MAX_SCRIPT_DEPTH = 4
/** Scripts that name scripts could come to more commands than there is memory for. */
const MAX_SCRIPTS_READ = 100

type Scripts = ReadonlyMap<string, string>

/**
 * The commands that running a script comes to: its `pre` and `post` scripts around it, and scripts that it names by
 * `npm run x` and the like in their place, since the sandbox has no package manager. Null where it cannot be told.
 */
export function expandScript(name: string, scripts: Scripts): Command[] | null {
  return readScript(name, { scripts, left: MAX_SCRIPTS_READ }, 0)
}

/** As {@link expandScript}, for a command line that is not a script of package.json. */
export function expandLine(line: string, scripts: Scripts): Command[] | null {
  return readLine(line, { scripts, left: MAX_SCRIPTS_READ }, 0)
}

interface Reading {
  scripts: Scripts
  left: number
}

function readScript(name: string, reading: Reading, depth: number): Command[] | null {
  const commands: Command[] = []
  for (const part of [`pre${name}`, name, `post${name}`]) {
    const script = reading.scripts.get(part)
    if (script === undefined) continue
    const read = readLine(script, reading, depth)
    if (!read) return null
    commands.push(...read)
  }
  return commands
}

function readLine(line: string, reading: Reading, depth: number): Command[] | null {
  const chain = reading.left-- > 0 ? splitChain(line) : null
  if (!chain) return null
  return chain.flatMap((command) => {
    const name = command.words && scriptName(command.words, reading.scripts)
    const inner = name && depth < MAX_SCRIPT_DEPTH ? readScript(name, reading, depth + 1) : null
    return inner ?? [withoutRunner(command)]
  })
}

/** The script that `npm run x`, `pnpm x`, `yarn x`, `bun run x` names; undefined with further arguments. */
function scriptName(words: string[], scripts: Scripts): string | undefined {
  const [program, ...rest] = words
  if (!/^(?:npm|pnpm|yarn|bun)$/.test(program ?? '')) return undefined
  const named = rest[0] === 'run' || rest[0] === 'run-script' ? rest.slice(1) : program === 'npm' ? [] : rest
  const [name, ...extra] = named
  return name !== undefined && extra.length === 0 && scripts.has(name) ? name : undefined
}

/** Takes `npx`, `pnpm exec` and the like off: node_modules/.bin is on the PATH. */
function withoutRunner(command: Command): Command {
  const pattern =
    /^(?:npx|bunx|pnpm exec|pnpm dlx|npm exec --|yarn exec|yarn run|pnpm|yarn)(?: --bun)? (?=vite |tsc|vue-tsc)/
  const text = command.text.replace(pattern, '')
  return text === command.text ? command : { text, words: plainWords(text) }
}
