import type { AzureSettings } from '../config.ts'
import type { Source, SourceOwner } from '../model/source.ts'
import { checkNamed, resolvePlace } from './object-places.ts'
import type { Place } from './places.ts'
import type { RequestWaits } from './retry.ts'
import type { RequestOf, SettingsOf, SourceKind } from './source-kind.ts'

/** Azure Blob Storage with the operator's account, in the containers that the operator named. */
export class AzureKind implements SourceKind<'azure-blob'> {
  readonly #settings: AzureSettings
  readonly #places: readonly Place[]
  readonly #waits: RequestWaits
  #opener: Promise<(container: string, prefix: string) => Source> | undefined

  /** Throws a readable Error where places are named and no account is. */
  constructor(settings: AzureSettings, places: readonly Place[], waits: RequestWaits) {
    this.#settings = settings
    this.#places = places.filter(({ kind }) => kind === 'azure-blob')
    this.#waits = waits
    const { connectionString, account, endpoint } = settings
    if (this.#places.length > 0 && (connectionString ?? account ?? endpoint) === undefined) {
      throw new Error(
        'PREVIEWD_SOURCES names azure-blob: set PREVIEWD_AZURE_CONNECTION_STRING or PREVIEWD_AZURE_ACCOUNT.',
      )
    }
  }

  resolve(
    { container, prefix, writeThrough }: RequestOf<'azure-blob'>,
    owner: SourceOwner,
  ): SettingsOf<'azure-blob'> {
    const place = resolvePlace(this.#places, { container, prefix }, owner)
    return { kind: 'azure-blob', ...place, ...(writeThrough && { writeThrough }) }
  }

  async open({ container, prefix }: SettingsOf<'azure-blob'>): Promise<Source> {
    checkNamed(this.#places, container)
    this.#opener ??= this.#load()
    return (await this.#opener)(container, prefix)
  }

  async #load() {
    const [{ createAzureClient }, { AzureBlobSource }] = await Promise.all([
      import('./azure-client.ts'),
      import('./azure-blob.ts'),
    ])
    const client = await createAzureClient(this.#settings)
    return (container: string, prefix: string) =>
      new AzureBlobSource(client, { container, prefix, ...this.#waits })
  }
}
