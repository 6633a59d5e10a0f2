import { Command, CommanderError } from 'commander'
import { buildCommand } from './build.ts'
import type { CommandLine } from './command-line.ts'
import { devCommand } from './dev.ts'
import { doctorCommand } from './doctor.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { keysCommand } from './keys.ts'
import { logsCommand } from './logs.ts'
import { lsCommand } from './ls.ts'
import { pushCommand } from './push.ts'
import { rmCommand } from './rm.ts'
import { serveCommand } from './serve.ts'
import { statusCommand } from './status.ts'
import { paint } from './terminal.ts'

const COMMANDS = [
  serveCommand,
  devCommand,
  pushCommand,
  buildCommand,
  statusCommand,
  logsCommand,
  lsCommand,
  rmCommand,
  keysCommand,
  doctorCommand,
]

/** The whole command line as commander knows it; also what its documentation is compared with. */
export function createProgram(line: CommandLine, version: string): Command {
  const program = new Command('previewd')
    .description('Web project files in, a sandboxed preview out.')
    .version(version)
    .showHelpAfterError('(see --help)')
  for (const make of COMMANDS) program.addCommand(make(line))
  forEach(program, (command) => {
    command.exitOverride()
    command.configureOutput({
      writeOut: (text) => line.terminal.out.write(text),
      writeErr: (text) => line.terminal.err.write(text),
    })
  })
  return program
}

/** Runs one command line; resolves with the exit code of what went wrong, 0 otherwise. Failures are printed. */
export async function runProgram(
  line: CommandLine,
  version: string,
  args: readonly string[],
): Promise<number> {
  try {
    await createProgram(line, version).parseAsync(args, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (!(error instanceof CommandFailure)) throw error
    printFailure(line, error, args.includes('--json'))
    return error.exitCode
  }
}

function printFailure({ terminal }: CommandLine, { message, code }: CommandFailure, asJson: boolean): void {
  if (asJson) terminal.err.write(`${JSON.stringify({ error: { code, message } })}\n`)
  else terminal.err.write(`${paint(terminal.err, 'red', 'error')}: ${message}${code ? ` [${code}]` : ''}\n`)
}

function forEach(command: Command, visit: (command: Command) => void): void {
  visit(command)
  for (const sub of command.commands) forEach(sub, visit)
}
