import type { Build } from './build.ts'
import type { AppliedChanges, ChangeBatch, ComingRevision, Manifest, Snapshot } from './files.ts'
import type { Project, ProjectSettings } from './project.ts'
import type { ComingNotes, SourceNotes } from './source.ts'

export interface Page<T> {
  items: T[]
  nextCursor: string | null
}

export interface Projects {
  get(id: string): Project | undefined
  /** Newest activity first. */
  list(options: { limit: number; cursor?: string }): Page<Project>
  /** Creates it, or replaces the settings given; `created` tells which. */
  put(id: string, settings: Partial<ProjectSettings>): { project: Project; created: boolean }
  setPublished(id: string, published: { buildId: string; revision: number }): void
  delete(id: string): Promise<boolean>
  findByExternalId(externalId: string): Project | undefined
  count(): number
}

export interface Files {
  /**
   * Applies a batch as one revision: atomic, ordered per project, durable when it resolves. A batch without an
   * effective change makes no revision. `onComing` hears of the revision while it is written.
   */
  apply(
    project: string,
    batch: ChangeBatch,
    onComing?: (coming: ComingRevision) => void,
  ): Promise<AppliedChanges>
  manifest(project: string): Promise<{ revision: number; files: Manifest }>
  snapshot(project: string): Promise<Snapshot>
}

export interface Builds {
  insert(build: Build): void
  update(build: Build): void
  get(project: string, id: string): Build | undefined
  newest(project: string): Build | undefined
  list(project: string, options: { limit: number; cursor?: string }): Page<Build>
  /** Builds that a killed server left unfinished. */
  unfinished(): Build[]
  delete(project: string, id: string): void
}

export type KeyScope = { kind: 'admin' } | { kind: 'read' } | { kind: 'project'; project: string }

export interface ApiKey {
  id: string
  name: string
  scope: KeyScope
  createdAt: string
  lastUsedAt?: string
}

export interface Keys {
  /** The key itself is returned once and only its hash kept. */
  create(name: string, scope: KeyScope): { key: string; record: ApiKey }
  verify(key: string): ApiKey | undefined
  list(): ApiKey[]
  delete(id: string): boolean
}

/** Lockfile that resolution made for a project without one; kept with the project so that installs repeat. */
export interface ResolvedLocks {
  get(project: string): { manifestHash: string; lockfile: string } | undefined
  set(project: string, value: { manifestHash: string; lockfile: string }): void
}

/** What is known of each project's source; goes with the project. */
export interface SourceNotesTable {
  get(project: string): SourceNotes | undefined
  /** Does nothing where the project is gone; takes the place of what was foreseen. */
  set(project: string, notes: SourceNotes): void
  /**
   * Notes what will hold, before the files are applied: notes that are behind the files would let a later write-through
   * overwrite what is newer at the source.
   */
  foresee(project: string, coming: ComingNotes): void
  /** Takes over what was foreseen of paths that the project has so by now; the start of a server does, too. */
  settle(project: string, manifest: Manifest): void
  /** Notes that a project may have what its source has not, before that is so, or that it has not; true if that is new. */
  setUnstored(project: string, isUnstored: boolean): boolean
  /** Projects that may have what their source has not. */
  unstored(): string[]
}
