import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withDescendants } from '../packages/previewd/test/e2e/process-tree.ts'
import { type Context, pushBuilt } from './context.ts'
import { edit } from './subject.ts'

/**
 * Every program that the server starts while it makes the first preview of a project whose dependencies it knows, as
 * strace sees it. The claim: none of them installs.
 */
export async function programsOfKnownEnvironment(
  context: Context,
): Promise<{ programs: string[]; installers: number }> {
  const { client, daemonPid, folder, projects } = context
  const subject = projects[0]?.subject
  if (subject === undefined) return { programs: [], installers: 0 }
  const output = join(folder, 'execve.txt')
  const targets = withDescendants(daemonPid)
  const strace = spawn(
    'strace',
    ['-f', '-qq', '-e', 'trace=execve', '-o', output, ...targets.flatMap((pid) => ['-p', String(pid)])],
    { stdio: 'ignore' },
  )
  const ended = once(strace, 'close')
  for (const pid of targets) await attached(pid)
  await pushBuilt(client, 'traced', { ...subject.files, ...edit(subject, 'traced') })
  strace.kill('SIGINT')
  await ended
  const lines = readFileSync(output, 'utf8').split('\n')
  const programs = lines.flatMap((line) => / = 0$/.exec(line) && (/execve\("([^"]+)"/.exec(line)?.[1] ?? []))
  const names = programs.filter((program) => program !== null)
  return { programs: names, installers: names.filter((name) => /pnpm/.test(name)).length }
}

/** What the kernel says of a process; nothing of one that has ended meanwhile. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}

/** Resolves when the kernel says that a tracer has the process, or that it has ended. */
async function attached(pid: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (!/^TracerPid:\s+0$/m.test(statusOf(pid))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('strace could not attach to the server')
}
