import type { Command } from 'commander'
import { toPlainText } from '../lib/plain-text.ts'
import {
  type CommandLine,
  type ServerOptions,
  type Session,
  serverCommand,
  withServer,
} from './command-line.ts'
import { readEvents } from './event-stream.ts'
import { EXIT } from './failure.ts'
import { printLine } from './terminal.ts'

interface LogOptions extends ServerOptions {
  build?: string
  follow?: boolean
}

/** `previewd logs PROJECT`: what the toolchain wrote. */
export function logsCommand(line: CommandLine): Command {
  return serverCommand('logs')
    .description('show the log of the newest build')
    .argument('<project>')
    .option('--build <id>', 'of this build')
    .option('-f, --follow', 'as it is written, until the build ends: exit code 1 where it fails')
    .action((project: string, options: LogOptions) =>
      withServer(line, options, async (session) => {
        session.progress.stop()
        const path = `/v1/projects/${encodeURIComponent(project)}/logs`
        if (options.follow) await follow(line, session, path, options.build)
        else await printLog(session, path, options.build)
      }),
    )
}

async function printLog(
  { client, terminal, print, asJson }: Session,
  path: string,
  build: string | undefined,
): Promise<void> {
  if (asJson) {
    const log = await client.json(path, { query: { build, format: 'json' } })
    print(log, String)
  } else {
    for await (const text of client.text(path, { query: { build } })) terminal.out.write(toPlainText(text))
  }
}

/** With `--json` each line is one JSON object. */
async function follow(
  line: CommandLine,
  { client, terminal, asJson }: Session,
  path: string,
  build: string | undefined,
): Promise<void> {
  for await (const { event, data } of readEvents(client.text(path, { query: { build, follow: 1 } }))) {
    const value = JSON.parse(data) as { text?: string; state?: string | null }
    if (asJson) printLine(terminal, data)
    else if (event === 'log') printLine(terminal, toPlainText(value.text ?? ''))
    if (event === 'end' && value.state && value.state !== 'succeeded') line.setExitCode(EXIT.failed)
  }
}
