import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { BwrapFeatures } from './bwrap.ts'
import { killQuietly } from './cgroup.ts'

/** Absolute paths of the programs of the launch chain. */
export interface LaunchTools {
  sh: string
  setpriv: string
  prlimit: string
  bwrap: BwrapFeatures
}

export interface LaunchSpec {
  tools: LaunchTools
  /** Host user and group of the worker; undefined keeps the daemon's own. */
  uid: number | undefined
  /** `cgroup.procs` files that the chain joins before it gives up root. */
  joinFiles: readonly string[]
  /** File with the seccomp program. */
  seccompFile: string
  bwrapArguments: readonly string[]
  /** The first program inside, which must not tell a secret: it can be read there. */
  command: readonly string[]
  /** A listening socket for the child, at LISTENING_FD. */
  listening: Server | undefined
  /** Largest file that it may write, in bytes. */
  fileBytes: number
}

export interface Launched {
  chain: ChildProcess
  /** The host's end of the control channel. */
  channel: Socket
}

const ARGUMENTS_FD = 4
const SECCOMP_FD = 5
const OPEN_FILES = 4096
/** Writes its own id into each file before `--`, then becomes the command after it. */
const JOIN_SCRIPT = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 71; shift; done; shift; exec "$@"'

/** Node has no public name for the descriptor of a server. */
function descriptorOf(server: Server | undefined): 'ignore' | number {
  return (server as unknown as { _handle: { fd: number } } | undefined)?._handle.fd ?? 'ignore'
}

/**
 * Starts the chain sh (joins the cgroups) -> setpriv -> prlimit -> bwrap. Each replaces the one before, so the id of
 * the chain is that of bwrap. The environment is empty from the start, because the sandbox can read that of its first
 * process; for the same reason the arguments, which hold host paths, go through a descriptor.
 */
export async function launch(spec: LaunchSpec): Promise<Launched> {
  const { tools, uid } = spec
  const user = uid === undefined ? [] : ['--reuid', String(uid), '--regid', String(uid), '--clear-groups']
  const seccomp = await open(spec.seccompFile, 'r')
  try {
    const chain = spawn(
      tools.sh,
      [
        ...['-c', JOIN_SCRIPT, 'sh', ...spec.joinFiles, '--'],
        ...[tools.setpriv, ...user, '--no-new-privs', '--'],
        ...[tools.prlimit, '--core=0', `--nofile=${OPEN_FILES}`, `--fsize=${spec.fileBytes}`, '--'],
        ...[tools.bwrap.path, '--args', String(ARGUMENTS_FD), '--seccomp', String(SECCOMP_FD)],
        ...['--', ...spec.command],
      ],
      {
        env: {},
        cwd: '/',
        stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', seccomp.fd, descriptorOf(spec.listening)],
      },
    )
    // No id: out of descriptors or processes. Then there may be no streams either.
    if (chain.pid === undefined) throw await once(chain, 'error').then(([error]) => error)
    const input = chain.stdio[ARGUMENTS_FD] as Socket
    // A chain that ends early is reported by its exit, not by this pipe.
    input.on('error', () => input.destroy())
    input.end(spec.bwrapArguments.map((argument) => `${argument}\0`).join(''))
    return { chain, channel: chain.stdio[3] as unknown as Socket }
  } finally {
    await seccomp.close()
  }
}

const EXIT_TIMEOUT_MS = 1_000

/**
 * Ends a launched chain: first the init of its PID namespace, with which the kernel ends all in it, so that bwrap
 * reaps it and exits only when none is left. Killed the other way round, the init would stay as a zombie where PID 1
 * does not reap.
 */
export async function endChain(chain: ChildProcess, exited: Promise<void>): Promise<void> {
  if (chain.pid === undefined || chain.exitCode !== null || chain.signalCode !== null) return await exited
  const children = await readFile(`/proc/${chain.pid}/task/${chain.pid}/children`, 'utf8').catch(() => '')
  const inits = children.split(' ').flatMap((pid) => (pid === '' ? [] : Number(pid)))
  for (const pid of inits) killQuietly(pid)
  const late = delay(EXIT_TIMEOUT_MS, 'late' as const, { ref: false })
  if (inits.length === 0 || (await Promise.race([exited, late])) === 'late') chain.kill('SIGKILL')
  await exited
}
