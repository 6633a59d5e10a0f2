import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { installServers } from './server-packages.ts'

export interface ObjectServer extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string
}

/** The account that the emulator of Azure Storage always has; its documentation has the key. */
export const AZURITE_ACCOUNT = 'devstoreaccount1'
export const AZURITE_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
export const S3_KEY = 'S3RVER'

/** The emulator of Azure Storage, with its blobs in memory. */
export async function startAzurite(): Promise<ObjectServer> {
  const packages = await installServers()
  return startServer([
    join(packages, 'node_modules/azurite/dist/src/blob/main.js'),
    '--blobHost=127.0.0.1',
    '--blobPort=0',
    '--inMemoryPersistence',
    '--skipApiVersionCheck',
    '--disableTelemetry',
    '--silent',
  ])
}

/** An S3 server with one bucket, over a folder of its own. */
export async function startS3Server(bucket: string): Promise<ObjectServer> {
  // Its pages of a listing are marked with a cipher that OpenSSL calls old.
  const program = ['--openssl-legacy-provider', join(import.meta.dirname, 'run-s3-server.ts')]
  return startServer([...program, await installServers(), 'FOLDER', bucket])
}

/** Runs a program until it says where it listens; `FOLDER` in its arguments stands for a folder of its own. */
async function startServer(args: string[]): Promise<ObjectServer> {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-objects-'))
  const given = args.map((argument) => (argument === 'FOLDER' ? folder : argument))
  const child = spawn(process.execPath, given, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  const stop = async () => {
    process.off('exit', orphaned)
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    return { url: await addressOf(child), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function addressOf({ stdout, stderr }: ChildProcess): Promise<string> {
  if (stdout === null || stderr === null) throw new Error('The server has no output')
  let said = ''
  stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000)
  })
  return new Promise((resolve, reject) => {
    // Read to the end: a pipe that nobody reads stops who writes to it.
    const lines = createInterface({ input: stdout })
    lines.on('line', (line) => {
      const [, url] = /listens on (http:\S+)/.exec(line) ?? []
      if (url !== undefined) resolve(url)
    })
    lines.on('close', () => reject(new Error(`The server ended before it listened: ${said}`)))
  })
}
