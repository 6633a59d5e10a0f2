import { Command } from 'commander'
import type { ClientConfig } from '../config.ts'
import { type Client, createClient } from './client.ts'
import { type Progress, showProgress, silentProgress } from './progress.ts'
import { printLine, type Terminal } from './terminal.ts'

/** What the commands are given by the composition root. */
export interface CommandLine {
  terminal: Terminal
  resolveClientConfig(): ClientConfig
  /** `overrides` win over the environment, which wins over `defaults`. */
  startDaemon(overrides: Record<string, string>, defaults?: Record<string, string>): Promise<Daemon>
  /** Folder of this user, or of the machine for root, for what may be lost. */
  cacheDir(): string
  inspectMachine(): Promise<Finding[]>
  setExitCode(code: number): void
}

export interface Daemon {
  /** Where the API answers. */
  url: string
  /** `timeoutMs` bounds the wait for builds. */
  close(options?: { timeoutMs?: number }): Promise<void>
}

/** One thing that `doctor` looked at. */
export interface Finding {
  name: string
  /** False where previewd does not work until it is mended. */
  ok: boolean
  level: 'good' | 'warning' | 'error'
  /** A sentence: what was found and, where it is not well, what to do. */
  detail: string
}

export interface ServerOptions {
  url?: string
  key?: string
  json?: boolean
}

/** What a command that talks to a server works with. */
export interface Session {
  client: Client
  terminal: Terminal
  progress: Progress
  /** Each result as JSON, and no progress. */
  asJson: boolean
  /** The result of the command: as JSON, or in the words of `text`. */
  print(value: unknown, text: () => string): void
}

/** A command with the options that all commands for a server have. */
export function serverCommand(name: string): Command {
  return new Command(name)
    .option('--url <url>', 'the server (default: PREVIEWD_URL, else http://127.0.0.1:4400)')
    .option('--key <key>', 'the API key (default: PREVIEWD_API_KEY)')
    .option('--json', 'print the result as JSON')
}

/** Runs the work of such a command; the progress line is gone whatever happens. */
export async function withServer(
  { resolveClientConfig, terminal }: CommandLine,
  options: ServerOptions,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const { url, apiKey } = resolveClientConfig()
  const client = createClient({ url: options.url ?? url, apiKey: options.key ?? apiKey })
  const { json: asJson = false } = options
  const progress = asJson ? silentProgress : showProgress(terminal)
  const print = (value: unknown, text: () => string) => {
    progress.stop()
    printLine(terminal, asJson ? JSON.stringify(value, null, 2) : text())
  }
  try {
    await work({ client, terminal, progress, asJson, print })
  } finally {
    progress.stop()
  }
}
