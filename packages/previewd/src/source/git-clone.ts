import type { Egress } from '../model/egress.ts'
import {
  CPU_WEIGHTS,
  type OutputEntry,
  type Worker,
  type WorkerLimits,
  type Workers,
} from '../model/worker.ts'
import { CloneError, type FailedClone } from './git-failure.ts'
import type { GitToken } from './git-place.ts'
import type { GitProgram } from './git-program.ts'
import { AUTHORITIES, gitEnvironment, REPOSITORY, TREE } from './git-settings.ts'

export interface CloneOptions {
  workers: Workers
  /** The way out to the hosts that the operator allows, and to nothing else. */
  egress: Egress
  program: GitProgram
  limits: CloneLimits
}

export interface CloneLimits {
  /** Of the sandbox, the clone and its files included. */
  memoryBytes: number
  /** For the whole fetch. */
  timeoutMs: number
  /** How long a host may be silent within it. */
  silentMs: number
  files: number
  bytes: number
}

export interface CloneRequest {
  url: URL
  ref: string | undefined
  path: string | undefined
  token: GitToken | undefined
}

const MIB = 1024 * 1024
const PROXY_PORT = 3128
const HEAD = 'refs/previewd/head'
const MAX_SAID = 32_768
/** Over what .gitattributes of the repository say: no filter, no conversion. */
const ATTRIBUTES = '* -text -eol -ident -filter -working-tree-encoding\n'
const NEVER_LOGGED = 64 * 1024

/**
 * Fetches the newest state of one ref in a sandbox, whose only network is the way out, and gives each file of it to
 * `onEntry`, in the order of their paths. git reads what a host sends, and hosts may be hostile; the server itself
 * reads only paths, sizes and bytes. Rejects with a CloneError, without anything that the host said.
 */
export async function cloneFiles(
  options: CloneOptions,
  request: CloneRequest,
  onEntry: (entry: OutputEntry) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { workers, egress, program, limits } = options
  let refusal: string | undefined
  const gate = await egress.open('allowlist', ({ reason }) => {
    refusal = reason
  })
  try {
    await using worker = await workers.start({
      role: 'project',
      limits: workerLimits(limits),
      binds: program.binds,
      bridge: { socket: gate.socket, port: PROXY_PORT },
      signal,
    })
    const fetched = await new Clone(worker, options, request).fetch()
    signal.throwIfAborted()
    if (fetched) {
      const { host } = request.url
      throw new CloneError({ ...request, ...fetched, host, refusal, timeoutMs: limits.timeoutMs })
    }
    for await (const entry of worker.collect(`/app/${TREE}`, limits)) await onEntry(entry)
  } finally {
    await gate.close()
  }
}

function workerLimits({ memoryBytes, timeoutMs }: CloneLimits): WorkerLimits {
  return {
    memoryBytes,
    processes: 64,
    wallMs: timeoutMs,
    appBytes: Math.floor(memoryBytes * 0.75),
    tmpBytes: 16 * MIB,
    cpuWeight: CPU_WEIGHTS.clone,
    logBytes: NEVER_LOGGED,
  }
}

type Failed = Pick<FailedClone, 'outcome' | 'said'>

/** The commands of one clone, each only after the one before. */
class Clone {
  readonly #worker: Worker
  readonly #program: GitProgram
  readonly #request: CloneRequest
  readonly #env: Record<string, string>
  #said = ''

  constructor(worker: Worker, { program, limits }: CloneOptions, request: CloneRequest) {
    this.#worker = worker
    this.#program = program
    this.#request = request
    this.#env = {
      ...program.env,
      ...gitEnvironment({
        ...request,
        proxyPort: PROXY_PORT,
        silentMs: limits.silentMs,
        hasAuthorities: program.authorities !== undefined,
      }),
    }
  }

  /** Undefined where all went well. */
  async fetch(): Promise<Failed | undefined> {
    const { url, ref = 'HEAD', path } = this.#request
    const tree = path === undefined ? `${HEAD}^{tree}` : `${HEAD}^{commit}:${path}`
    return (
      (await this.#git('init', '--quiet', '--bare', '--template=', REPOSITORY)) ??
      (await this.#putFiles()) ??
      (await this.#git(
        ...['-C', REPOSITORY, 'fetch', '--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules'],
        ...['--no-write-fetch-head', '--', url.href, `+${ref}:${HEAD}`],
      )) ??
      (await this.#git('-C', REPOSITORY, 'read-tree', tree)) ??
      (await this.#git(
        ...[`--git-dir=${REPOSITORY}`, '--work-tree=/tmp', 'checkout-index', '--all', '--force', '--quiet'],
        `--prefix=/app/${TREE}/`,
      ))
    )
  }

  async #putFiles(): Promise<undefined> {
    const { authorities } = this.#program
    const attributes = Buffer.from(ATTRIBUTES)
    const files = [
      { path: `${REPOSITORY.replace('/app/', '')}/info/attributes`, content: attributes },
      // The folder is there also where the repository has no file.
      { path: `${TREE}/.git`, content: Buffer.alloc(0) },
      ...(authorities ? [{ path: AUTHORITIES, content: authorities }] : []),
    ]
    await this.#worker.put(
      files.map((file) => ({ kind: 'file' as const, ...file, size: file.content.length })),
    )
  }

  async #git(...args: string[]): Promise<Failed | undefined> {
    const { file } = this.#program
    const task = { kind: 'exec' as const, file, args, cwd: '/app', env: this.#env }
    const outcome = await this.#worker.run(task, ({ text }) => {
      if (this.#said.length < MAX_SAID) this.#said += `${text}\n`
    })
    return outcome.kind === 'succeeded' ? undefined : { outcome, said: this.#said }
  }
}
