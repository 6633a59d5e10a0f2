import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** The process and all that it has started so far: programs may be started by a launcher that waits for it. */
function withDescendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readAbout(name, 'stat')
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const found = [pid]
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child)
  return found
}

/** What the kernel says of a process; nothing of one that has ended meanwhile. */
function readAbout(pid: string, file: 'stat' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Resolves when the kernel says that a tracer has the process. */
async function attached(pid: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (!/^TracerPid:\s+0$/m.test(readAbout(String(pid), 'status'))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('strace could not attach to the server')
}
