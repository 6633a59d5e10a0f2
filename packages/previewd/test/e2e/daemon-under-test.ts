import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '../../src/config.ts'
import { startDaemon } from '../../src/daemon.ts'
import { Client } from './client.ts'

export interface DaemonUnderTest extends AsyncDisposable {
  client: Client
  dataDir: string
  /** Stops the daemon and starts it again over the same data, with other settings where some are given. */
  restart(environment?: Record<string, string>): Promise<void>
}

/** A folder for state that the uids of the sandbox may traverse, and not list. */
export function makeDataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'previewd-e2e-'))
  chmodSync(folder, 0o711)
  return folder
}

/** The whole daemon in this process, on a free port, with state of its own that goes when it ends. */
export async function startDaemonUnderTest(
  environment: Record<string, string> = {},
): Promise<DaemonUnderTest> {
  const dataDir = makeDataDir()
  const start = (more: Record<string, string>) =>
    startDaemon(resolveConfig(daemonEnvironment(dataDir, { ...environment, ...more })))
  let daemon = await start({})
  const started: DaemonUnderTest = {
    client: new Client(daemon.url),
    dataDir,
    restart: async (more = {}) => {
      await daemon.close()
      daemon = await start(more)
      started.client = new Client(daemon.url)
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
  return started
}

/** What of the machine's own settings a daemon in a test keeps: where packages come from, and the sandbox. */
export function daemonEnvironment(dataDir: string, more: Record<string, string>): Record<string, string> {
  const kept = ['PREVIEWD_REGISTRY', 'PREVIEWD_REGISTRY_TOKEN', 'PREVIEWD_SANDBOX'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return {
    ...Object.fromEntries(kept),
    PREVIEWD_HOST: '127.0.0.1',
    PREVIEWD_PORT: '0',
    PREVIEWD_DATA: dataDir,
    PREVIEWD_LOG_LEVEL: 'warn',
    ...more,
  }
}
