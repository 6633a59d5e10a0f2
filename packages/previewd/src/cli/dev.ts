import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import closeWithGrace from 'close-with-grace'
import type { Command } from 'commander'
import type { Project } from '../model/project.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { Client } from './client.ts'
import {
  type CommandLine,
  type Daemon,
  type ServerOptions,
  type Session,
  serverCommand,
  withServer,
} from './command-line.ts'
import { DevReport } from './dev-report.ts'
import { startDevServer } from './dev-server.ts'
import { readEvents } from './event-stream.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { projectIdOf } from './project-id.ts'
import { paint, printLine } from './terminal.ts'

interface DevOptions extends ServerOptions {
  project?: string
  port?: string
  data?: string
  unsafeNoSandbox?: boolean
  open?: boolean
  logs?: boolean
}

/** A session that nobody looks at would go to sleep. */
const KEEP_ALIVE_MS = 60_000
/** Longer than the server needs to end without waiting for builds; a second Ctrl-C ends it at once. */
const CLOSE_LIMIT_MS = 10_000
const HASH_LENGTH = 6

/** `previewd dev DIR`: a live preview of a folder that follows its edits. */
export function devCommand(line: CommandLine): Command {
  return serverCommand('dev')
    .description('open a live preview of a folder and follow its edits, until Ctrl-C')
    .argument('[dir]', 'the folder of the project', '.')
    .option('--project <id>', "the project's id (default: the folder's name)")
    .option('--port <port>', 'listen on this port (default: 4400, or a free one)')
    .option('--data <dir>', 'keep dependencies and builds here (default: a cache folder)')
    .option('--open', 'open it in the browser')
    .option('--logs', 'show what the dev server writes')
    .option('--unsafe-no-sandbox', 'accept a sandbox that is not whole: only for projects that you trust')
    .action(async (dir: string, options: DevOptions) => {
      const root = await folderAt(resolve(dir))
      const ended = new AbortController()
      const daemon = options.url === undefined ? startDevServer(line, { ...options, root }) : undefined
      const work = previewFolder(line, { ...options, root }, daemon, ended.signal)
      const grace = closeWithGrace({ delay: CLOSE_LIMIT_MS }, async ({ err }) => {
        if (err) line.terminal.err.write(`${err.stack ?? err.message}\n`)
        ended.abort()
        // What the work is at may only end with the server.
        await Promise.allSettled([work, closeServer(daemon)])
      })
      try {
        await work
      } catch (error) {
        if (ended.signal.aborted) return
        grace.uninstall()
        await closeServer(daemon)
        throw error
      }
    })
}

async function previewFolder(
  line: CommandLine,
  options: DevOptions & { root: string },
  daemon: Promise<Daemon> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const url = options.url ?? (await daemon)?.url
  await withServer(line, { ...options, ...(url !== undefined && { url }) }, (session) =>
    follow(session, options.root, options, signal),
  )
}

/** Builds that run are not waited for. One that did not start has nothing to close. */
async function closeServer(daemon: Promise<Daemon> | undefined): Promise<void> {
  const started = await daemon?.catch(() => undefined)
  await started?.close({ timeoutMs: 0 })
}

async function folderAt(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) throw new CommandFailure(EXIT.usage, `${path} is not a folder.`)
  return await realpath(path)
}

async function follow(
  { client, terminal, progress, asJson }: Session,
  root: string,
  options: DevOptions,
  signal: AbortSignal,
): Promise<void> {
  progress.phase('Reading the folder')
  const id = options.project ?? (await freeProject(client, root))
  const path = `/v1/projects/${id}`
  await client.json(path, { method: 'PUT', body: { source: { kind: 'local', path: root } } })
  const { status } = await client.json<{ status: ProjectStatus }>(`${path}/sync`, {
    method: 'POST',
    body: {},
  })
  const report = new DevReport(terminal, progress, options)
  await client.json(`${path}/session`, { method: 'PUT' })
  progress.stop()
  printLine(
    terminal,
    asJson
      ? JSON.stringify({ event: 'dev', data: { project: id, urls: status.urls } })
      : heading(terminal, root, status),
  )
  if (options.open) openInBrowser(status.urls.preview)
  const keepAlive = setInterval(() => {
    // A server that is gone ends the stream of events, which says so.
    client.json(`${path}/session`, { method: 'PUT' }).catch(() => undefined)
  }, KEEP_ALIVE_MS)
  try {
    for await (const { event, data } of readEvents(client.text(`${path}/events`, { signal }))) {
      const value: unknown = JSON.parse(data)
      if (asJson) printLine(terminal, JSON.stringify({ event, data: value }))
      else report.tell(event, value)
    }
    throw new CommandFailure(EXIT.unreachable, 'The server has ended.', 'SERVER_UNREACHABLE')
  } finally {
    clearInterval(keepAlive)
    // Only where the server stays; one of our own ends with all that it has.
    if (signal.aborted && options.url !== undefined)
      await client.json(`${path}/session`, { method: 'DELETE' })
  }
}

/** The id that the folder's name makes, with a mark of its own where another project has that one. */
async function freeProject(client: Client, root: string): Promise<string> {
  const id = nameOf(root)
  const taken = await client
    .json<Project & { source: Project['settings']['source'] }>(`/v1/projects/${id}`)
    .catch((error: unknown) => {
      if (error instanceof CommandFailure && error.code === 'PROJECT_NOT_FOUND') return undefined
      throw error
    })
  if (!taken || (taken.source.kind === 'local' && taken.source.path === root)) return id
  const mark = createHash('sha256').update(root).digest('hex').slice(0, HASH_LENGTH)
  return `${id.slice(0, 40 - HASH_LENGTH - 1).replace(/-$/, '')}-${mark}`
}

/** Names like `app` are reserved. */
function nameOf(root: string): string {
  return projectIdOf(root) ?? projectIdOf(`${root}-project`) ?? 'my-project'
}

function heading(terminal: Session['terminal'], root: string, { urls }: ProjectStatus): string {
  const link = paint(terminal.out, ['bold', 'cyan'], urls.preview)
  return `\n  ${paint(terminal.out, 'bold', basename(root))}\n  ${link}\n`
}

function openInBrowser(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(program, [url], { detached: true, stdio: 'ignore' })
  // Where there is no such program, the address stands in the terminal.
  child.on('error', () => undefined)
  child.unref()
}
