import type { Environment } from '../../model/environment.ts'
import type { Manifest } from '../../model/files.ts'
import type { PageRequest } from '../../model/session.ts'
import type { DevServer, Worker } from '../../model/worker.ts'

/** A session that goes to sleep, while its dev server still answers. */
export interface Leaving {
  worker: Worker
  server: DevServer
  environment: Environment | null
  /** Folder of the dev server, absolute inside the sandbox. */
  folder: string
  requests: readonly PageRequest[]
  /** Of the one page of its app, relative to the project's folder; a server that writes its pages itself need not have it. */
  pageFile: string
  page: { settingsKey: string; generation: string; token: string }
  /** That it has. */
  files: Manifest
}
