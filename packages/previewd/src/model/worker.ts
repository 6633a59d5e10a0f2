import type { FileChange } from './files.ts'

/**
 * The contract between the stages that need project code run (environment, build, session) and the sandbox that
 * runs it. A worker is one sandboxed process tree. Everything that comes out of it is hostile.
 */

/** `full`: every layer of the sandbox; `reduced`: own uid or cgroup limits missing; `off`: nothing isolates. */
export type SandboxTier = 'full' | 'reduced' | 'off'

export interface SandboxStatus {
  tier: SandboxTier
  /** False where project code must not run. */
  usable: boolean
  /** One sentence for each thing that is missing. */
  problems: string[]
}

export interface WorkerLimits {
  memoryBytes: number
  processes: number
  /** Wall clock from start to the end, kept by the host. */
  wallMs: number
  /** Size of the tmpfs at /app. */
  appBytes: number
  /** Size of the tmpfs at /tmp. */
  tmpBytes: number
  /** Relative CPU share: sessions before builds before checks. */
  cpuWeight: number
  /** Bytes of log kept; what is over is dropped with a note. */
  logBytes: number
}

/** What a worker may have before anybody uses it: nothing of a project, only what all of its environment share. */
export interface Ahead {
  /** Of the environment. */
  key: string
  /** Its node_modules trees below /app. */
  entries: readonly InputEntry[]
  /** Folder from which the project's Vite and its plugins are found, relative to /app or absolute inside the sandbox. */
  root: string
}

export interface Bind {
  /** Path on the host. */
  source: string
  /** Path inside the sandbox. */
  target: string
  writable?: boolean
}

export interface WorkerSpec {
  limits: WorkerLimits
  /** Mounted besides the runtime tree; writable only for the installer's store. */
  binds: Bind[]
  /** Program on the host that is the Node of project code, in place of the server's own. */
  node?: string
  /** Which host uid: a slot of its own for project code, the installer's for the installer. */
  role: 'project' | 'installer'
  /** Where given, another worker of this kind is made ready once this one is in use, for the next. */
  ahead?: Ahead
  /** A unix socket on the host that is reachable inside as http://127.0.0.1:{port}; the only network there is. */
  bridge?: { socket: string; port: number }
  /** A unix socket to be made on the host, at which the server of `serve` is reached; removed with the worker. */
  listen?: string
  signal?: AbortSignal
}

/** What goes into /app. Symbolic links may point anywhere: they mean something only inside the sandbox. */
export type InputEntry =
  | {
      kind: 'file'
      path: string
      size: number
      content: Buffer | AsyncIterable<Buffer>
      executable?: boolean
    }
  | { kind: 'link'; path: string; target: string }

export type Task =
  /** The project's own Vite, in the worker's own process: `vite build` with these options. */
  | { kind: 'vite-build'; root: string; options: ViteBuildOptions; env: Record<string, string> }
  /** A shell command line, as written, with node_modules/.bin on the PATH. */
  | { kind: 'shell'; command: string; cwd: string; env: Record<string, string> }
  /** A program without a shell. */
  | { kind: 'exec'; file: string; args: string[]; cwd: string; env: Record<string, string> }

export interface ViteBuildOptions {
  base?: string
  mode?: string
  outDir?: string
  configFile?: string
  minify?: boolean | string
  sourcemap?: boolean | string
}

/** A structured error of the toolchain, as far as it gave one. All text is project-written. */
export interface ToolError {
  name?: string
  message: string
  code?: string
  plugin?: string
  /** Path inside the sandbox, e.g. /app/src/App.tsx. */
  file?: string
  line?: number
  column?: number
  frame?: string
  stack?: string
}

export type TaskOutcome =
  | {
      kind: 'succeeded' /** Output folder that Vite resolved, absolute inside the sandbox. */
      outDir?: string
    }
  | { kind: 'failed'; exitCode: number | null; signal?: string; errors: ToolError[] }
  | { kind: 'timed_out' }
  | { kind: 'out_of_memory' }
  | { kind: 'canceled' }
  /** The worker broke the protocol or a limit of it, or died; `detail` is one sentence. */
  | { kind: 'violation'; detail: string }

/** What runs in a session: the project's own dev server, started as its authors would. */
export type DevTask =
  /** The project's Vite, with its own config; frameworks that are Vite plugins (TanStack Start, React Router, SvelteKit) too. */
  | {
      kind: 'vite-dev'
      root: string
      env: Record<string, string>
      mode?: string
      /** One that starts Vite itself. */
      framework?: 'astro' | 'nuxt'
      /** What Vite's own pages show to be let onto its socket; a random one by default. */
      token?: string
    }
  /** A command with a server of its own, which listens on 127.0.0.1:{port} inside the sandbox. */
  | { kind: 'command-dev'; command: string; cwd: string; env: Record<string, string>; port: number }

/** What one batch of changes did to the pages that are open. */
export interface DevUpdate {
  revision: number
  /** `none`: no open page uses what changed · `hmr`: one payload of hot updates · `reload` · `restart`: the dev server restarted in place. */
  kind: 'none' | 'hmr' | 'reload' | 'restart'
  /** Problems of transforming what changed, as the dev server told them. */
  errors: ToolError[]
}

/** A module as the pages of a dev server have it. */
export interface ModuleOfPage {
  /** Of its address, as Vite writes it. */
  path: string
  /** Of the project, which it was made of; relative to its folder. */
  file?: string
  /** A plugin made it, of whatever it likes. */
  isMadeUp?: boolean
  /** Those whose code was made with it, by their place in the list. */
  importers: number[]
}

/** A dev server that listens in a worker. */
export interface DevServer {
  /** A unix socket on the host at which it speaks HTTP and WebSocket. */
  readonly socket: string
  /** Resolves when it is no more, with the reason. */
  readonly ended: Promise<TaskOutcome>
  /** Which bundle of the dependencies it started with, where it had one: the addresses of their modules depend on it. */
  readonly bundle: string | undefined
  /** Resolves when it has made another one, since a page needs a dependency that was not in that. */
  readonly rebundled: Promise<void>
  /**
   * Rejects with a WorkerError where the worker is gone. The files were put before, or are being put; where they did
   * not get in, nothing happens. One batch at a time. Pages are told that they show the revision, and are not reloaded
   * before one is given. `reload`: the pages that are open show modules which it has not transformed since it started,
   * so a hot update would miss them.
   */
  update(
    revision: number | null,
    changed: readonly FileChange[],
    options?: { reload?: boolean },
  ): Promise<Omit<DevUpdate, 'revision'>>
  /**
   * Lets it serve its modules as after a fresh start, at their plain addresses, for whoever keeps them; open pages
   * could not go on with those. Resolves with its bundle; rejects as `update` does.
   */
  freshen(): Promise<string | undefined>
  /** What it has transformed for pages. Undefined where it does not tell, or they are too many; rejects as `update` does. */
  modules(): Promise<readonly ModuleOfPage[] | undefined>
}

export interface LogLine {
  stream: 'stdout' | 'stderr'
  /** One line without its newline, at most 8 kB. */
  text: string
}

export interface OutputLimits {
  files: number
  bytes: number
}

/** One entry of an output tree, in order; a file's content must be consumed before the next entry. */
export type OutputEntry =
  | { kind: 'file'; path: string; size: number; executable: boolean; content: AsyncIterable<Buffer> }
  | { kind: 'link'; path: string; target: string }

/** Shares of the processor, for {@link WorkerLimits}: somebody looks at a session, waits for a build, and asks for a check later. */
export const CPU_WEIGHTS = {
  session: 200,
  /** A first preview has to wait for it. */
  install: 100,
  clone: 50,
  build: 40,
  /** What is made for whoever comes next. */
  background: 20,
  check: 10,
  /** The least there is: whatever else runs comes first. */
  waiting: 1,
} as const

export interface Worker extends AsyncDisposable {
  /** True where it waited for this use: the entries of `ahead` are in it. Where not, its user puts them. */
  readonly waited: boolean
  /** Writes entries below /app; parents are made as needed, existing entries replaced. */
  put(entries: Iterable<InputEntry> | AsyncIterable<InputEntry>): Promise<void>
  /** Removes what is at these paths below /app; nothing need be there. In order with `put`. */
  remove(paths: readonly string[]): Promise<void>
  /** Runs one task to its end; several may run side by side. Never rejects for what project code does. */
  run(task: Task, onLog?: (line: LogLine) => void): Promise<TaskOutcome>
  /**
   * The tree below a folder inside the sandbox. Links are yielded, never followed; other special files are an error.
   * Rejects with a WorkerError when the limits are passed or the worker broke the protocol.
   */
  collect(directory: string, limits: OutputLimits): AsyncIterable<OutputEntry>
  /**
   * Starts a dev server that listens; at most one for each worker, which must have been started with `listen`.
   * Resolves when it answers or has ended before it did.
   */
  serve(task: DevTask, revision: number, onLog?: (line: LogLine) => void): Promise<DevServer | TaskOutcome>
  /** Its share of the processor from now on, see {@link CPU_WEIGHTS}; nothing of one that has ended. */
  setCpuWeight(weight: number): Promise<void>
  /** Memory that all its processes hold now, in bytes; 0 where that is not known. */
  memoryBytes(): Promise<number>
  /** Ends every process of the worker and frees its slot; resolves when none is left. */
  stop(): Promise<void>
}

/** Why an output could not be taken. */
export class WorkerError extends Error {
  readonly reason:
    | 'missing_output'
    | 'too_many_files'
    | 'too_many_bytes'
    | 'special_file'
    | 'violation'
    | 'ended'
  constructor(reason: WorkerError['reason'], detail: string) {
    super(detail)
    this.name = 'WorkerError'
    this.reason = reason
  }
}

export interface Workers {
  /** Looks at the machine; cached after the first call. */
  status(): Promise<SandboxStatus>
  /** Rejects with SANDBOX_UNAVAILABLE where project code must not run. Waits for a free slot. */
  start(spec: WorkerSpec): Promise<Worker>
  /** The workers that wait for a use. */
  pool(): PoolView
  /** Memory that all workers hold now, whatever they do, in bytes. */
  memoryBytes(): Promise<number>
  /** Ends all workers. */
  close(): Promise<void>
}

export interface PoolView {
  /** Ready to be used. */
  waiting: number
  /** Wanted, and not ready yet. */
  due: number
  /** Uses that a waiting worker was there for, and those that had to start one, since the server was started. */
  hits: number
  misses: number
}
