import { PassThrough } from 'node:stream'
import type { CommandLine } from '../../src/cli/command-line.ts'
import { runProgram } from '../../src/cli/program.ts'

export interface CommandRun {
  code: number
  out: string
  err: string
}

/** A command line whose terminal is kept as text; `url` is where its server answers. */
export function commandLineForTests(url = 'http://127.0.0.1:1', given: Partial<CommandLine> = {}) {
  const [out, err] = [new PassThrough(), new PassThrough()]
  let exitCode = 0
  const line: CommandLine = {
    terminal: { out, err },
    resolveClientConfig: () => ({ url, apiKey: undefined }),
    startDaemon: () => Promise.reject(new Error('no server is started here')),
    cacheDir: () => '/nonexistent',
    inspectMachine: () => Promise.resolve([]),
    setExitCode(code) {
      exitCode = code
    },
    ...given,
  }
  async function run(...args: string[]): Promise<CommandRun> {
    const code = await runProgram(line, '1.2.3', args)
    return { code: code || exitCode, out: text(out), err: text(err) }
  }
  return { line, run }
}

function text(stream: PassThrough): string {
  return (stream.read() as Buffer | null)?.toString() ?? ''
}
