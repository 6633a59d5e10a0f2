import type { InputEntry } from './worker.ts'

/**
 * How a built server is run: `node` imports its module, which listens, or exports a handler; the others have their handler
 * of requests called: that of a module with a `fetch`, or what the builds of these frameworks leave.
 */
export type ServerRun = 'node' | 'fetch' | 'react-router' | 'remix' | 'sveltekit'

/** What a build says of the server that it left; kept beside the server's code. */
export interface BuiltServer {
  framework: string
  /** Folder of the project inside its files; '' is the top. */
  root: string
  /** The module that is run, below the root. */
  entry: string
  run: ServerRun
  /** Where the server looks for the files that browsers get as they are, below the root. */
  site: string
  /** False where all packages are part of its code. */
  needsPackages: boolean
  /** Links among its code, as they are put into the sandbox. */
  links: Extract<InputEntry, { kind: 'link' }>[]
}

/** The artifact of a build's server. It holds {@link DESCRIPTION}, and files below the two folders. */
export function serverId(buildId: string): string {
  return `${buildId}-server`
}

export const DESCRIPTION = 'server.json'
/** The project's own files: servers read content at run time, and the environment is found by them. */
export const SOURCES = 'source/'
export const CODE = 'code/'

/** Where a request for a built server goes, or why it cannot go anywhere now. */
export type Reached =
  | { socket: string }
  | { unavailable: 'starting' }
  | { unavailable: 'full' }
  /** `reason` is for the project's authors, and may be project-written text. */
  | { unavailable: 'failed'; reason: string }

/** The server of a published build, as the API shows it. */
export interface AppServerView {
  state: 'asleep' | 'starting' | 'live' | 'failed'
  /** Why it failed. May be project-written text. */
  reason?: string
}

/** The servers of builds, which run while somebody asks for them. */
export interface AppServers {
  /**
   * Wakes the server of a build and waits for it, at most so long. While the server of a newly published build starts,
   * the one of the build before goes on answering; `only` asks for this very build.
   */
  reach(project: string, buildId: string, options: { waitMs: number; only?: boolean }): Promise<Reached>
  view(project: string, buildId: string): AppServerView
  /** Ends all of a project; resolves when their workers are gone. */
  stop(project: string): Promise<void>
  close(): Promise<void>
}
