import { isAbsolute, normalize } from 'node:path'
import { PreviewdError } from '../errors.ts'
import type { Source, SourceOwner } from '../model/source.ts'
import { isWithin, openLocalSource } from './local.ts'
import { invalidPlace } from './places.ts'
import type { RequestOf, SettingsOf, SourceKind } from './source-kind.ts'

/** Folders of this machine, below those that the operator named. */
export class LocalKind implements SourceKind<'local'> {
  readonly #roots: readonly string[]

  constructor(roots: readonly string[]) {
    this.#roots = roots
  }

  resolve({ path }: RequestOf<'local'>, { isTrusted }: SourceOwner): SettingsOf<'local'> {
    this.#checkSupported()
    // Whoever may change one project must not read the folder of another one.
    if (!isTrusted) throw invalidPlace('path', 'only a key that administers the server may set it')
    const folder = normalize(path).replace(/(?<=.)\/$/, '')
    if (!isAbsolute(path) || !this.#roots.some((root) => isWithin(root, folder))) {
      throw invalidPlace('path', 'it is not below a folder in PREVIEWD_LOCAL_ROOTS')
    }
    return { kind: 'local', path: folder }
  }

  async open({ path }: SettingsOf<'local'>): Promise<Source> {
    this.#checkSupported()
    return openLocalSource({ path, roots: this.#roots })
  }

  #checkSupported(): void {
    if (this.#roots.length > 0) return
    throw new PreviewdError(
      'SOURCE_NOT_SUPPORTED',
      'This server has no local sources: PREVIEWD_LOCAL_ROOTS is empty.',
    )
  }
}
