import closeWithGrace from 'close-with-grace'
import { Command } from 'commander'
import type { CommandLine } from './command-line.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { errorCode, explainStart } from './start-failure.ts'
import { printLine } from './terminal.ts'

interface ServeOptions {
  host?: string
  port?: string
  data?: string
  unsafeNoSandbox?: boolean
}

/** Longer than the server waits for running builds; a second signal ends it at once. */
const CLOSE_LIMIT_MS = 40_000

/** `previewd serve`: the daemon. */
export function serveCommand(line: CommandLine): Command {
  return new Command('serve')
    .description('run the server; SIGTERM and SIGINT drain it, a second one ends it at once')
    .option('--host <address>', 'listen here (PREVIEWD_HOST, default 127.0.0.1)')
    .option('--port <port>', 'listen on this port (PREVIEWD_PORT, default 4400)')
    .option('--data <dir>', 'keep everything here (PREVIEWD_DATA, default /var/lib/previewd)')
    .option('--unsafe-no-sandbox', 'accept a sandbox that is not whole: only for projects that you trust')
    .action(async (options: ServeOptions) => {
      const starting = line.startDaemon(overrides(options))
      // Before it is up: a signal during the start is a clean stop, too.
      const grace = closeWithGrace({ delay: CLOSE_LIMIT_MS }, async ({ err }) => {
        if (err) line.terminal.err.write(`${err.stack ?? err.message}\n`)
        await (await starting).close()
      })
      const daemon = await starting.catch((error: unknown) => {
        grace.uninstall()
        throw new CommandFailure(EXIT.failed, explainStart(error), errorCode(error))
      })
      printLine(line.terminal, `previewd listens on ${daemon.url}`)
    })
}

function overrides({ host, port, data, unsafeNoSandbox }: ServeOptions): Record<string, string> {
  return {
    ...(host && { PREVIEWD_HOST: host }),
    ...(port && { PREVIEWD_PORT: port }),
    ...(data && { PREVIEWD_DATA: data }),
    ...(unsafeNoSandbox && { PREVIEWD_UNSAFE_NO_SANDBOX: '1' }),
  }
}
