import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Files } from '../packages/previewd/test/e2e/project-files.ts'
import type { Subject } from './subject.ts'

const run = promisify(execFile)

export interface PlainServer extends AsyncDisposable {
  url: string
  pid: number
}

/** A project in a folder, worked on with pnpm and the project's own tools, as from a shell. */
export interface PlainProject {
  write(files: Files): void
  /** The project's build script. */
  script: string
  /** Runs a command as a shell does, without the time that `npm run` adds. */
  shell(command: string): Promise<void>
  /** `pnpm install --offline --frozen-lockfile` into a folder without node_modules. */
  install(): Promise<void>
  /** The dev server, once it says that it listens. */
  serve(): Promise<PlainServer>
  removeModules(): void
}

/** Installs once with the network, so that pnpm's store knows every package and a lockfile of pnpm is there. */
export async function makePlainProject(folder: string, subject: Subject): Promise<PlainProject> {
  const app = join(folder, subject.name)
  const bin = join(app, 'node_modules/.bin')
  const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter), CI: '1' }
  const pnpm = (...args: string[]) =>
    run(pnpmFile(), [...args, `--store-dir=${join(folder, 'store')}`, '--ignore-scripts'], { cwd: app, env })
  const write = (files: Files) => {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(app, path)), { recursive: true })
      const bytes = typeof content === 'string' ? content : Buffer.from(content.content, 'base64')
      writeFileSync(join(app, path), bytes)
    }
  }
  write(subject.files)
  if (subject.files['package-lock.json'] !== undefined) await run(pnpmFile(), ['import'], { cwd: app, env })
  await pnpm('install', '--no-frozen-lockfile')
  const script = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).scripts.build as string
  return {
    write,
    script,
    shell: async (command) => void (await run('sh', ['-c', command], { cwd: app, env })),
    install: async () => void (await pnpm('install', '--offline', '--frozen-lockfile')),
    serve: () => serve(app, env),
    removeModules: () => rmSync(join(app, 'node_modules'), { recursive: true, force: true }),
  }
}

/** pnpm's own program, the one that the server installs with. */
function pnpmFile(): string {
  const require = createRequire(join(import.meta.dirname, '../packages/previewd/package.json'))
  const manifest = require.resolve(`@pnpm/exe.${process.platform}-${process.arch}/package.json`)
  return join(dirname(manifest), 'pnpm')
}

async function serve(app: string, env: NodeJS.ProcessEnv): Promise<PlainServer> {
  const port = await freePort()
  const child = spawn('vite', ['--host', '127.0.0.1', '--port', String(port), '--strictPort'], {
    cwd: app,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const orphaned = () => child.kill()
  process.once('exit', orphaned)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => reject(new Error('vite ended before it listened')))
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('Local') && resolve())
  })
  return {
    url: `http://127.0.0.1:${port}/`,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: () => {
      process.off('exit', orphaned)
      child.kill()
      return ended
    },
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
