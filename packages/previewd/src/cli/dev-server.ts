import { join } from 'node:path'
import type { CommandLine, Daemon } from './command-line.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { errorCode, explainStart } from './start-failure.ts'

export interface DevServerOptions {
  /** The folder that it may read. */
  root: string
  port?: string | undefined
  data?: string | undefined
  unsafeNoSandbox?: boolean | undefined
}

/** Servers of one user beside one another, each for a folder of its own. */
const MAX_SERVERS = 16
/** For a folder of one's own: what the machine gives of the sandbox, and no word that is not about the project. */
const DEFAULTS = { PREVIEWD_SANDBOX: 'reduced', PREVIEWD_LOG_LEVEL: 'error' }

/**
 * A server for this command alone. Its data outlives it, since the next start then has the dependencies; where another
 * one uses them, or the usual port, it takes the next. Throws a CommandFailure that says why none starts.
 */
export async function startDevServer(line: CommandLine, options: DevServerOptions): Promise<Daemon> {
  if (options.root.includes(',')) {
    throw new CommandFailure(
      EXIT.usage,
      `${options.root} has a comma in it, which lists of folders cannot have.`,
    )
  }
  for (let number = 1; ; number++) {
    const name = number === 1 ? 'dev' : `dev-${number}`
    const dataDir = options.data ?? join(line.cacheDir(), name)
    try {
      return await startAt(line, options, dataDir)
    } catch (error) {
      const mayBeNext = errorCode(error) === 'DATA_IN_USE' && options.data === undefined
      if (!mayBeNext || number === MAX_SERVERS)
        throw new CommandFailure(EXIT.failed, explainStart(error), errorCode(error))
    }
  }
}

async function startAt(line: CommandLine, options: DevServerOptions, dataDir: string): Promise<Daemon> {
  const overrides = {
    PREVIEWD_HOST: '127.0.0.1',
    PREVIEWD_DATA: dataDir,
    PREVIEWD_LOCAL_ROOTS: options.root,
    ...(options.unsafeNoSandbox && { PREVIEWD_UNSAFE_NO_SANDBOX: '1' }),
    ...(options.port !== undefined && { PREVIEWD_PORT: options.port }),
  }
  try {
    return await line.startDaemon(overrides, DEFAULTS)
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE' || options.port !== undefined) throw error
    return await line.startDaemon({ ...overrides, PREVIEWD_PORT: '0' }, DEFAULTS)
  }
}
