import type { Files, Projects } from '../model/store.ts'
import type { SpecParts } from './dev-spec.ts'
import type { LastPageParts } from './kept/last-page.ts'

export interface SessionParts extends SpecParts, LastPageParts {
  projects: Projects
  files: Files
  now: () => number
}

export interface SessionEvents {
  changed: () => void
  /** It needs no worker any more: it ended by itself, or is in error. */
  released: () => void
}
