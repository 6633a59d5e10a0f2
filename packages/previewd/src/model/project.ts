import type { EnvSet } from './env-set.ts'

export type Framework = 'auto' | 'vite' | 'static' | 'command'

export type SourceSettings =
  | { kind: 'push' }
  | { kind: 'local'; path: string }
  | { kind: 'azure-blob'; container: string; prefix: string; writeThrough?: boolean }
  | { kind: 's3'; bucket: string; prefix: string; writeThrough?: boolean }
  | GitSourceSettings

export interface GitSourceSettings {
  kind: 'git'
  url: string
  ref?: string | undefined
  path?: string | undefined
  /** Set by a key that administers the server: only then a token of the operator is for it. */
  isTrusted?: true
}

/** What a client may set on a project; the API document has the meaning and default of each. */
export interface ProjectSettings {
  name?: string
  externalId?: string
  source: SourceSettings
  /** Folder of package.json inside the files; '' is the top. */
  root: string
  framework: Framework
  buildCommand?: string
  outputDir?: string
  nodeVersion?: string
  /** Vite's mode, of builds and sessions; '' is the tool's own. */
  mode?: string
  env: Record<string, string>
  /** By name. */
  envSets: Record<string, EnvSet>
  spa: boolean
  visibility: 'public' | 'private'
  egress: 'none' | 'allowlist' | 'public'
  proxy: Record<string, string>
  instrument: boolean
  autoInstall: boolean
}

export const DEFAULT_SETTINGS: ProjectSettings = {
  source: { kind: 'push' },
  root: '',
  framework: 'auto',
  env: {},
  envSets: {},
  spa: true,
  visibility: 'public',
  egress: 'none',
  proxy: {},
  instrument: true,
  autoInstall: false,
}

export interface Project {
  id: string
  settings: ProjectSettings
  /** 0 before the first batch. */
  revision: number
  /** The build that viewers see. */
  published?: { buildId: string; revision: number }
  createdAt: string
  /** Time of the newest change, build or setting. */
  activeAt: string
}
