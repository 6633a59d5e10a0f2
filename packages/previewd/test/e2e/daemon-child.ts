import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client } from './client.ts'
import { daemonEnvironment } from './daemon-under-test.ts'

export interface DaemonChild extends AsyncDisposable {
  client: Client
  pid: number
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** The daemon as a program of its own over `dataDir`; rejects with what it wrote where it ends before it listens. */
export async function startDaemonChild(
  dataDir: string,
  environment: Record<string, string> = {},
): Promise<DaemonChild> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run-daemon.ts')], {
    env: { ...inherited(), ...daemonEnvironment(dataDir, environment) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Where this process ends without its clean-up, the daemon must not go on alone.
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  const kill = async () => {
    process.off('exit', orphaned)
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  try {
    return {
      client: new Client(await addressOf(child)),
      pid: child.pid ?? 0,
      kill,
      [Symbol.asyncDispose]: kill,
    }
  } catch (error) {
    await kill()
    throw error
  }
}

/** The surroundings of this process, without its own settings of previewd. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PREVIEWD_')))
}

function addressOf({ stdout, stderr }: ChildProcess): Promise<string> {
  if (stdout === null || stderr === null) throw new Error('The daemon has no output')
  let said = ''
  stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  return new Promise((resolve, reject) => {
    // Read to the end: a pipe that nobody reads stops who writes to it.
    const lines = createInterface({ input: stdout })
    lines.on('line', (line) => {
      if (line.startsWith('{"url":')) resolve((JSON.parse(line) as { url: string }).url)
      else if (process.env.PREVIEWD_E2E_LOG !== undefined) console.error(line)
    })
    lines.on('close', () => reject(new Error(`The daemon ended before it listened: ${said}`)))
  })
}
