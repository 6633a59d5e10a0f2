import type { FastifyBaseLogger, FastifyServerFactory } from 'fastify'
import type { Config } from '../config.ts'
import type { EventBus } from '../model/event.ts'
import type { Grants } from '../model/grant.ts'
import type { Pipeline } from '../model/pipeline.ts'
import type { Sources } from '../model/source.ts'
import type { Builds, Files, Keys, Projects, SourceNotesTable } from '../model/store.ts'
import type { Workers } from '../model/worker.ts'

/** What the API needs of the rest of the server. */
export interface ApiOptions {
  pipeline: Pipeline
  sources: Sources
  projects: Projects
  files: Files
  builds: Builds
  keys: Keys
  sourceNotes: Pick<SourceNotesTable, 'unstored'>
  grants: Grants
  events: EventBus
  workers: Pick<Workers, 'status' | 'pool'>
  config: Config
  logger: FastifyBaseLogger
  /** Where bodies are spooled: the store's, which is emptied at the start. */
  tmpDir: string
  /** True from the first signal to end on: `/readyz` says so. */
  isDraining?: () => boolean
  /** Lets the composition root answer preview hosts before the API sees a request. */
  serverFactory?: FastifyServerFactory
  /** Emits `upgrade` for WebSocket requests that are the API's; the server itself where it is not given. */
  upgrades?: NodeJS.EventEmitter
}
