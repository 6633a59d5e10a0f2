import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeDataDir } from './daemon-under-test.ts'

export interface DevCommand extends AsyncDisposable {
  /** What it wrote so far. */
  written: () => string
  /** The address of the preview, once it is told. */
  url: () => string | undefined
  /** Sends what Ctrl-C sends; resolves with the exit code. */
  interrupt(): Promise<number | null>
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** `previewd dev FOLDER` as a program of its own, with data of its own unless it uses another server. */
export function startDevCommand(folder: string, ...options: string[]): DevCommand {
  const data = makeDataDir()
  const own = options.includes('--url') ? [] : ['--data', data, '--port', '0']
  const child = spawn(process.execPath, [MAIN, 'dev', folder, ...own, ...options], {
    env: process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const keep = (chunk: Buffer) => {
    said += chunk.toString()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  // Where this process ends without its clean-up, the server must not go on alone.
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  return {
    written: () => said,
    url: () => /http:\/\/\S+\.localhost:\d+\//.exec(said)?.[0],
    interrupt: () => end(child, 'SIGINT'),
    async [Symbol.asyncDispose]() {
      await end(child, 'SIGKILL')
      process.off('exit', orphaned)
      rmSync(data, { recursive: true, force: true })
    },
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
  return child.exitCode
}
