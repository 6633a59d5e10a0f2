import type { S3Client } from '@aws-sdk/client-s3'
import type { S3Settings } from '../config.ts'
import type { Source, SourceOwner } from '../model/source.ts'
import { checkNamed, resolvePlace } from './object-places.ts'
import type { Place } from './places.ts'
import type { RequestWaits } from './retry.ts'
import type { RequestOf, SettingsOf, SourceKind } from './source-kind.ts'

/** S3, Amazon's or another, with the operator's credentials, in the buckets that the operator named. */
export class S3Kind implements SourceKind<'s3'> {
  readonly #settings: S3Settings
  readonly #places: readonly Place[]
  readonly #waits: RequestWaits
  #client: S3Client | undefined

  constructor(settings: S3Settings, places: readonly Place[], waits: RequestWaits) {
    this.#settings = settings
    this.#places = places.filter(({ kind }) => kind === 's3')
    this.#waits = waits
  }

  resolve({ bucket, prefix, writeThrough }: RequestOf<'s3'>, owner: SourceOwner): SettingsOf<'s3'> {
    const place = resolvePlace(this.#places, { container: bucket, prefix }, owner)
    return {
      kind: 's3',
      bucket: place.container,
      prefix: place.prefix,
      ...(writeThrough && { writeThrough }),
    }
  }

  async open({ bucket, prefix }: SettingsOf<'s3'>): Promise<Source> {
    checkNamed(this.#places, bucket)
    const { S3Source, createS3Client } = await import('./s3.ts')
    this.#client ??= createS3Client(this.#settings)
    return new S3Source(this.#client, { container: bucket, prefix, ...this.#waits })
  }

  async close(): Promise<void> {
    this.#client?.destroy()
  }
}
