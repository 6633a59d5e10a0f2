import type { Project } from '../model/project.ts'
import type { PulledSettings, Source, SourceOwner, SourceRequest } from '../model/source.ts'

export type SettingsOf<K extends PulledSettings['kind']> = Extract<PulledSettings, { kind: K }>
export type RequestOf<K extends PulledSettings['kind']> = Extract<SourceRequest, { kind: K }>

/** One kind of source, as the operator set it. Its SDK or program is loaded when one is opened, not before. */
export interface SourceKind<K extends PulledSettings['kind']> {
  /** See {@link Sources.resolve}. */
  resolve(asked: RequestOf<K>, owner: SourceOwner): SettingsOf<K>
  /** Rejects with SOURCE_NOT_SUPPORTED where the operator took the place away since. */
  open(settings: SettingsOf<K>, project: Project): Promise<Source>
  /** Ends what its sources share. */
  close?(): Promise<void>
}
