// Generated from the server's schemas by "npm run protocol". What is wanted otherwise is changed there.

export type ApiKey = {
  id: string
  name: string
  scope: KeyScope
  /** ISO 8601, UTC */
  createdAt: string
  /** ISO 8601, UTC */
  lastUsedAt?: string
}

/** One run that makes an artifact */
export type Build = {
  id: string
  project: string
  revision: number
  state: 'queued' | 'installing' | 'building' | 'succeeded' | 'failed' | 'canceled' | 'timed_out'
  /** ISO 8601, UTC */
  queuedAt: string
  /** ISO 8601, UTC */
  startedAt?: string
  /** ISO 8601, UTC */
  finishedAt?: string
  durationMs?: number
  artifact?: {
    files: number
    bytes: number
  }
  /** Its pages are rendered by a server, which runs while somebody asks for them */
  server?: {
    framework: string
  }
  diagnostics: Diagnostic[]
  timings: {
    syncMs?: number
    installMs?: number
    buildMs?: number
  }
  /** Key of the dependencies it used */
  environment?: string
  /** How it went with each env set, once the builds after the publish are done */
  envSets?: Record<string, 'succeeded' | 'failed' | 'same'>
  /** Node that it ran with, where that was not the one of the server */
  nodeMajor?: number
}

export type BuildAnswer = {
  id: string
  project: string
  revision: number
  state: 'queued' | 'installing' | 'building' | 'succeeded' | 'failed' | 'canceled' | 'timed_out'
  /** ISO 8601, UTC */
  queuedAt: string
  /** ISO 8601, UTC */
  startedAt?: string
  /** ISO 8601, UTC */
  finishedAt?: string
  durationMs?: number
  artifact?: {
    files: number
    bytes: number
  }
  /** Its pages are rendered by a server, which runs while somebody asks for them */
  server?: {
    framework: string
  }
  diagnostics: Diagnostic[]
  timings: {
    syncMs?: number
    installMs?: number
    buildMs?: number
  }
  /** Key of the dependencies it used */
  environment?: string
  /** How it went with each env set, once the builds after the publish are done */
  envSets?: Record<string, 'succeeded' | 'failed' | 'same'>
  /** Node that it ran with, where that was not the one of the server */
  nodeMajor?: number
  /** With `wait` */
  status?: Status
  painted?: null
  reason?: 'no_viewer' | 'no_session'
}

export type BuildPage = {
  items: Build[]
  /** Give it as `cursor` to read on; null at the end */
  nextCursor: string | null
}

export type Change = {
  path: string
  kind: 'added' | 'modified' | 'deleted'
}

/** One atomic batch */
export type Changes = {
  files?: Record<string, string | {
    encoding: 'base64'
    content: string
  }>
  deleted?: string[]
  /** Refuse with 409 unless the project is at this revision */
  baseRevision?: number
}

export type ChangesAnswer = {
  project: string
  revision: number
  changed: Change[]
  /** Files whose content was there already, and deletions of files that were not */
  unchanged: number
  status: Status
  /** Of projects that are written through: whether the source has it; if not, it is tried again */
  stored?: {
    state: 'stored'
  } | {
    state: 'pending'
  } | {
    state: 'failed'
    code: string
    detail: string
  }
  /** With wait=painted and nobody to paint */
  painted?: null
  reason?: 'no_viewer' | 'no_session'
}

/** One problem. All text may be project-written: show it as text. */
export type Diagnostic = {
  origin: 'install' | 'config' | 'build' | 'transform' | 'type' | 'runtime' | 'network'
  severity: 'error' | 'warning'
  code?: string
  message: string
  /** Relative to the project's files */
  file?: string
  /** 1-based */
  line?: number
  /** 1-based */
  column?: number
  frame?: string
  stack?: string
  /** What would mend it */
  hint?: string
}

/** What is wrong now, root cause first */
export type Diagnostics = {
  revision: number
  state: 'empty' | 'queued' | 'installing' | 'building' | 'ready' | 'error'
  diagnostics: ReportedDiagnostic[]
}

/** docs/errors.md has the meaning of each */
export type ErrorCode = 'BAD_REQUEST' | 'INVALID_JSON' | 'INVALID_ARCHIVE' | 'INVALID_PATH' | 'INVALID_PROJECT_ID' | 'UNAUTHORIZED' | 'FORBIDDEN' | 'ORIGIN_NOT_ALLOWED' | 'HOST_NOT_ALLOWED' | 'NOT_FOUND' | 'PROJECT_NOT_FOUND' | 'FILE_NOT_FOUND' | 'BUILD_NOT_FOUND' | 'SOURCE_NOT_FOUND' | 'SESSION_NOT_FOUND' | 'KEY_NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'REVISION_CONFLICT' | 'BUILD_NOT_PUBLISHABLE' | 'IDEMPOTENCY_CONFLICT' | 'PAYLOAD_TOO_LARGE' | 'PROJECT_TOO_LARGE' | 'FILE_TOO_LARGE' | 'TOO_MANY_FILES' | 'UNSUPPORTED_MEDIA_TYPE' | 'SETTINGS_INVALID' | 'SOURCE_NOT_SUPPORTED' | 'RATE_LIMITED' | 'QUEUE_FULL' | 'INTERNAL' | 'STORAGE_FAILED' | 'NOT_IMPLEMENTED' | 'BACKEND_UNREACHABLE' | 'BACKEND_NOT_ALLOWED' | 'SOURCE_DENIED' | 'SOURCE_UNREACHABLE' | 'SANDBOX_UNAVAILABLE' | 'SHUTTING_DOWN' | 'OVERLOADED' | 'BACKEND_TIMEOUT' | 'STORAGE_FULL'

export type Grant = {
  token: string
  /** The preview, with the token: good for an iframe */
  url: string
  /** ISO 8601, UTC */
  expiresAt: string
}

/** admin: everything · read: all reads · project: all of one project */
export type KeyScope = {
  kind: 'admin'
} | {
  kind: 'read'
} | {
  kind: 'project'
  /** A DNS label: a-z, 0-9 and -, at most 40 characters, without "--" */
  project: string
}

/** admin: everything · read: all reads · project: all of one project */
export type KeyScopeInput = {
  kind: 'admin'
} | {
  kind: 'read'
} | {
  kind: 'project'
  /** A DNS label: a-z, 0-9 and -, at most 40 characters, without "--" */
  project: string
}

export type LegacyBuildStatus = {
  status: 'building' | 'ready' | 'error'
  build_id?: string
  revision: number
  error?: string
  url: string
}

export type LegacySync = {
  changed_files?: Array<{
    path: string
    /** `frontend` (the default) or `backend` */
    type?: string
  }>
}

export type LegacySyncAnswer = {
  status: 'building' | 'no_changes'
  changes?: string[]
}

export type Log = {
  build: string | null
  lines: LogLine[]
}

export type LogEvent = {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'log'
  data: LogLine
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'end'
  data: {
    build: string | null
    state: 'queued' | 'installing' | 'building' | 'succeeded' | 'failed' | 'canceled' | 'timed_out' | null
  }
}

export type LogLine = {
  /** ISO 8601, UTC */
  at: string
  stream: 'stdout' | 'stderr'
  text: string
}

export type Manifest = {
  revision: number
  files: Array<{
    path: string
    size: number
    sha256: string
  }>
}

export type NewApiKey = {
  id: string
  name: string
  scope: KeyScope
  /** ISO 8601, UTC */
  createdAt: string
  /** ISO 8601, UTC */
  lastUsedAt?: string
  key: string
}

export type NewGrant = {
  role: 'editor' | 'viewer'
  expiresInSeconds?: number
}

/** RFC 9457; `code` is stable */
export type Problem = {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  [name: string]: unknown
}

export type Project = {
  id: string
  name?: string
  /** The platform's own id */
  externalId?: string
  source: Source
  /** Folder of package.json inside the files */
  root: string
  framework: 'auto' | 'vite' | 'static' | 'command'
  buildCommand?: string
  outputDir?: string
  /** Node that runs its code; empty goes by its files */
  nodeVersion?: string
  /** Vite's mode, for builds and sessions; empty is the tool's own */
  mode?: string
  spa: boolean
  visibility: 'public' | 'private'
  egress: 'none' | 'allowlist' | 'public'
  proxy: Record<string, string>
  instrument: boolean
  autoInstall: boolean
  /** The names that are set; values are never given back */
  env: Record<string, null>
  /** Variables with which it is built besides, by name */
  envSets: Record<string, {
    env: Record<string, null>
    /** Vite's mode, for builds and sessions; empty is the tool's own */
    mode?: string
  }>
  /** 0 before the first files */
  revision: number
  published: {
    buildId: string
    revision: number
  } | null
  /** ISO 8601, UTC */
  createdAt: string
  /** Time of the newest change, build or setting */
  activeAt: string
  state: 'empty' | 'queued' | 'installing' | 'building' | 'ready' | 'error'
  urls: {
    preview: string
    path: string
    envSets?: Record<string, string>
  }
}

/** One thing that happened to a project */
export type ProjectEvent = {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'status'
  data: Status
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'revision'
  data: {
    revision: number
    /** The first of them, where there are many */
    changed: Change[]
    total: number
  }
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'build'
  data: {
    id: string
    revision: number
    state: 'queued' | 'installing' | 'building' | 'succeeded' | 'failed' | 'canceled' | 'timed_out'
    /** ISO 8601, UTC */
    queuedAt: string
    /** ISO 8601, UTC */
    startedAt?: string
    /** ISO 8601, UTC */
    finishedAt?: string
    durationMs?: number
    artifact?: {
      files: number
      bytes: number
    }
    /** Its pages are rendered by a server, which runs while somebody asks for them */
    server?: {
      framework: string
    }
    /** Key of the dependencies it used */
    environment?: string
    /** How it went with each env set, once the builds after the publish are done */
    envSets?: Record<string, 'succeeded' | 'failed' | 'same'>
    /** Node that it ran with, where that was not the one of the server */
    nodeMajor?: number
  }
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'session'
  data: {
    state: 'off' | 'starting' | 'live' | 'error'
    /** What the dev server has */
    revision?: number
    /** Open pages of editors */
    viewers: number
    /** ISO 8601, UTC */
    startedAt?: string
    /** Of the last start */
    startMs?: number
    /** Whether a worker was ready and waited for the last start */
    pool?: 'hit' | 'miss'
    memoryBytes?: number
    /** Crashes since it was started */
    restarts: number
    /** Why it is in error, starts again, or ended. May be project-written text */
    reason?: string
    /** How a new revision came to the open pages */
    kind?: 'none' | 'hmr' | 'reload' | 'restart'
    errors?: ReportedDiagnostic[]
  }
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'log'
  data: {
    buildId?: string
    session?: true
    /** Of the server that a build has */
    server?: true
    lines: LogLine[]
    /** Lines that came too fast to be told */
    skipped?: number
  }
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'diagnostic'
  data: {
    buildId?: string
    revision: number
    diagnostics: ReportedDiagnostic[]
  }
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'console'
  data: unknown
} | {
  /** Grows, also across restarts; the first status of a stream has none */
  id?: number
  type: 'error'
  data: {
    reason: 'lagged'
    message: string
  }
}

export type ProjectPage = {
  items: Project[]
  /** Give it as `cursor` to read on; null at the end */
  nextCursor: string | null
}

export type ProjectSettings = {
  name?: string
  /** The platform's own id */
  externalId?: string
  source?: SourceRequest
  /** Folder of package.json inside the files */
  root?: string
  framework?: 'auto' | 'vite' | 'static' | 'command'
  buildCommand?: string
  outputDir?: string
  /** Node that runs its code; empty goes by its files */
  nodeVersion?: string
  /** Vite's mode, for builds and sessions; empty is the tool's own */
  mode?: string
  /** Replaces all variables; null keeps the value that a name has */
  env?: Record<string, string | null>
  /** Replaces all sets; null keeps the value that a name has in the set */
  envSets?: Record<string, {
    /** Replaces all variables; null keeps the value that a name has */
    env: Record<string, string | null>
    /** Vite's mode, for builds and sessions; empty is the tool's own */
    mode?: string
  }>
  spa?: boolean
  visibility?: 'public' | 'private'
  egress?: 'none' | 'allowlist' | 'public'
  proxy?: Record<string, string>
  instrument?: boolean
  autoInstall?: boolean
}

export type ProjectWithStatus = {
  id: string
  name?: string
  /** The platform's own id */
  externalId?: string
  source: Source
  /** Folder of package.json inside the files */
  root: string
  framework: 'auto' | 'vite' | 'static' | 'command'
  buildCommand?: string
  outputDir?: string
  /** Node that runs its code; empty goes by its files */
  nodeVersion?: string
  /** Vite's mode, for builds and sessions; empty is the tool's own */
  mode?: string
  spa: boolean
  visibility: 'public' | 'private'
  egress: 'none' | 'allowlist' | 'public'
  proxy: Record<string, string>
  instrument: boolean
  autoInstall: boolean
  /** The names that are set; values are never given back */
  env: Record<string, null>
  /** Variables with which it is built besides, by name */
  envSets: Record<string, {
    env: Record<string, null>
    /** Vite's mode, for builds and sessions; empty is the tool's own */
    mode?: string
  }>
  /** 0 before the first files */
  revision: number
  published: {
    buildId: string
    revision: number
  } | null
  /** ISO 8601, UTC */
  createdAt: string
  /** Time of the newest change, build or setting */
  activeAt: string
  state: 'empty' | 'queued' | 'installing' | 'building' | 'ready' | 'error'
  urls: {
    preview: string
    path: string
    envSets?: Record<string, string>
  }
  status: Status
}

export type ReportedDiagnostic = {
  origin: 'install' | 'config' | 'build' | 'transform' | 'type' | 'runtime' | 'network'
  severity: 'error' | 'warning'
  code?: string
  message: string
  /** Relative to the project's files */
  file?: string
  /** 1-based */
  line?: number
  /** 1-based */
  column?: number
  frame?: string
  stack?: string
  /** What would mend it */
  hint?: string
  count: number
  revision: number
}

/** A live dev server of a project */
export type Session = {
  state: 'off' | 'starting' | 'live' | 'error'
  /** What the dev server has */
  revision?: number
  /** Open pages of editors */
  viewers: number
  /** ISO 8601, UTC */
  startedAt?: string
  /** Of the last start */
  startMs?: number
  /** Whether a worker was ready and waited for the last start */
  pool?: 'hit' | 'miss'
  memoryBytes?: number
  /** Crashes since it was started */
  restarts: number
  /** Why it is in error, starts again, or ended. May be project-written text */
  reason?: string
}

/** Where the files come from */
export type Source = {
  kind: 'push'
} | {
  kind: 'local'
  path: string
} | {
  kind: 'git'
  url: string
  ref?: string
  path?: string
} | {
  kind: 'azure-blob'
  container: string
  prefix: string
  /** Store files that are pushed in the source, too */
  writeThrough?: boolean
} | {
  kind: 's3'
  bucket: string
  prefix: string
  /** Store files that are pushed in the source, too */
  writeThrough?: boolean
}

/** What is left out comes from what the operator set */
export type SourceRequest = {
  kind: 'push'
} | {
  kind: 'local'
  path: string
} | {
  kind: 'git'
  url: string
  ref?: string
  path?: string
} | {
  kind: 'azure-blob'
  container?: string
  prefix?: string
  /** Store files that are pushed in the source, too */
  writeThrough?: boolean
} | {
  kind: 's3'
  bucket?: string
  prefix?: string
  /** Store files that are pushed in the source, too */
  writeThrough?: boolean
}

/** How far a project is. `error` never takes the published build away. */
export type Status = {
  project: string
  revision: number
  state: 'empty' | 'queued' | 'installing' | 'building' | 'ready' | 'error'
  build: {
    id: string
    revision: number
    state: 'queued' | 'installing' | 'building' | 'succeeded' | 'failed' | 'canceled' | 'timed_out'
    /** ISO 8601, UTC */
    queuedAt: string
    /** ISO 8601, UTC */
    startedAt?: string
    /** ISO 8601, UTC */
    finishedAt?: string
    durationMs?: number
    artifact?: {
      files: number
      bytes: number
    }
    /** Its pages are rendered by a server, which runs while somebody asks for them */
    server?: {
      framework: string
    }
    /** Key of the dependencies it used */
    environment?: string
    /** How it went with each env set, once the builds after the publish are done */
    envSets?: Record<string, 'succeeded' | 'failed' | 'same'>
    /** Node that it ran with, where that was not the one of the server */
    nodeMajor?: number
  } | null
  published: {
    buildId: string
    revision: number
  } | null
  session: Session
  /** The server of the published build, where its pages need one */
  server?: {
    state: 'asleep' | 'starting' | 'live' | 'failed'
    reason?: string
  }
  /** What the newest page of an editor says of itself */
  painted: {
    revision: number
    /** ISO 8601, UTC */
    at: string
    errors: number
    visible: boolean
  } | null
  urls: {
    preview: string
    path: string
    envSets?: Record<string, string>
  }
  diagnostics: ReportedDiagnostic[]
  timings: {
    syncMs?: number
    installMs?: number
    buildMs?: number
  }
  progress?: {
    phase: 'resolving' | 'fetching' | 'linking'
    done: number
    total?: number
  }
}

/** What changed at the source; without a list everything is compared */
export type Sync = {
  changedFiles?: Array<{
    path: string
  }>
  deleted?: string[]
}
