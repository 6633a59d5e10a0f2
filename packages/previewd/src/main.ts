#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import type { CommandLine } from './cli/command-line.ts'
import { runProgram } from './cli/program.ts'
import { resolveCacheDir, resolveClientConfig, resolveConfig, resolveServeConfig } from './config.ts'

const manifest = new URL('../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }

// The server and the doctor are loaded by the commands that need them: the others start in a fraction of the time.
const line: CommandLine = {
  terminal: { out: process.stdout, err: process.stderr },
  resolveClientConfig,
  async startDaemon(overrides, defaults) {
    const { startDaemon } = await import('./daemon.ts')
    return startDaemon(resolveServeConfig(overrides, defaults))
  },
  cacheDir: () => resolveCacheDir(),
  async inspectMachine() {
    const { inspectMachine } = await import('./doctor/doctor.ts')
    return inspectMachine(resolveConfig())
  },
  setExitCode(code) {
    process.exitCode = code
  },
}

// `previewd logs x | head` closes the pipe early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

const code = await runProgram(line, version, process.argv.slice(2))
if (code !== 0) process.exitCode = code
