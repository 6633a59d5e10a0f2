import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import type { S3Settings } from '../config.ts'
import { PreviewdError } from '../errors.ts'
import { contentTypeOf } from '../lib/content-type.ts'
import type { FileEntry } from '../model/files.ts'
import type { FetchedFile, Source, SourceFile } from '../model/source.ts'
import { notedHash } from './noted-hash.ts'
import { endlessListing, MAX_PAGES, type ObjectSourceOptions } from './object-places.ts'
import { ObjectRequests, type Refusal } from './object-requests.ts'

const SERVICE = 'S3'
/** Larger files are streamed as they are stored. */
const STREAMED_BYTES = 4 * 1024 * 1024

/** The client for what the operator set; attempts are ours to make, see retry.ts. */
export function createS3Client({ endpoint, region, accessKeyId, secretAccessKey }: S3Settings): S3Client {
  return new S3Client({
    maxAttempts: 1,
    // What fails is told by whoever asked; the SDK would write to the console.
    logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
    // Servers other than Amazon's often know neither checksums nor a host name for each bucket.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    forcePathStyle: endpoint !== undefined,
    ...(endpoint !== undefined && { endpoint, region: region ?? 'us-east-1' }),
    ...(region !== undefined && { region }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
  })
}

/** The files below a prefix of an S3 bucket; `sha256` in an object's metadata is its hash, which listings do not have. */
export class S3Source implements Source {
  readonly #client: S3Client
  readonly #options: ObjectSourceOptions
  readonly #requests: ObjectRequests

  constructor(client: S3Client, options: ObjectSourceOptions) {
    this.#client = client
    this.#options = options
    this.#requests = new ObjectRequests({ service: SERVICE, noun: 'bucket', refusalIn }, options)
  }

  async *list(signal: AbortSignal): AsyncGenerator<SourceFile> {
    const { container: Bucket, prefix: Prefix } = this.#options
    let token: string | undefined
    for (let pages = 0; pages === 0 || token !== undefined; pages++) {
      if (pages === MAX_PAGES) throw endlessListing(SERVICE)
      const query = { Bucket, Prefix, EncodingType: 'url', ContinuationToken: token } as const
      const command = new ListObjectsV2Command(query)
      const page = await this.#requests.attempt(signal, (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      )
      // Every S3 answers with the name; who does not is none, and its nothing must not pass for an empty bucket.
      if (page.Name === undefined) throw notS3()
      for (const { Key = '', Size = 0, ETag = '' } of page.Contents ?? []) {
        const name = page.EncodingType === 'url' ? decoded(Key) : Key
        yield { path: name.slice(Prefix.length), size: Size, version: ETag }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
      // What is missing behind it must not pass for deleted.
      if (page.IsTruncated && !token) throw notS3()
    }
  }

  async find(path: string, signal: AbortSignal): Promise<SourceFile | undefined> {
    const command = new HeadObjectCommand(this.#object(path))
    const found = await this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() => this.#client.send(command, { abortSignal })),
    )
    return found && { path, ...described(found) }
  }

  async read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined> {
    const answer = await this.#get(file.path, signal, file.version)
    if (answer && answer.ETag !== file.version) {
      // A server that does not know If-Match.
      ;(answer.Body as Readable).destroy()
      return undefined
    }
    return answer && this.#content(file.path, answer, signal)
  }

  async fetch(path: string, signal: AbortSignal): Promise<FetchedFile | undefined> {
    const answer = await this.#get(path, signal)
    return answer && { file: { path, ...described(answer) }, content: this.#content(path, answer, signal) }
  }

  async write(
    { path, size, sha256 }: FileEntry,
    content: () => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<string> {
    const put = async (abortSignal: AbortSignal) => {
      const stream = Readable.from(content())
      const body = size > STREAMED_BYTES ? stream : Buffer.concat(await stream.toArray())
      return this.#client.send(
        new PutObjectCommand({
          ...this.#object(path),
          Body: body,
          ContentLength: size,
          ContentType: contentTypeOf(path),
          Metadata: { sha256 },
        }),
        { abortSignal },
      )
    }
    const { ETag = '' } = await this.#requests.attempt(signal, put, size)
    return ETag
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand(this.#object(path))
    await this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() => this.#client.send(command, { abortSignal })),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections belong to the client, which sources share.
  }

  #object(path: string) {
    return { Bucket: this.#options.container, Key: this.#options.prefix + path }
  }

  #get(path: string, signal: AbortSignal, version?: string): Promise<GetObjectCommandOutput | undefined> {
    const command = new GetObjectCommand({ ...this.#object(path), ...(version && { IfMatch: version }) })
    return this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() => this.#client.send(command, { abortSignal })),
    )
  }

  #content(path: string, answer: GetObjectCommandOutput, signal: AbortSignal): AsyncIterable<Buffer> {
    const { Body, ContentLength = 0 } = answer
    return this.#requests.content(path, Body as Readable, ContentLength, signal)
  }
}

function refusalIn(error: unknown): Refusal | undefined {
  if (!(error instanceof S3ServiceException)) return undefined
  const { $metadata, name: reason, $response } = error
  return { status: $metadata.httpStatusCode, reason, retryAfter: $response?.headers['retry-after'] }
}

/** Undefined for an object that is not there, or is not that version any more; other failures stay failures. */
async function ifThere<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    const status = error.$metadata.httpStatusCode
    if ((status === 404 && error.name !== 'NoSuchBucket') || status === 412) return undefined
    throw error
  }
}

function described({
  ContentLength = 0,
  ETag = '',
  Metadata,
}: Pick<GetObjectCommandOutput, 'ContentLength' | 'ETag' | 'Metadata'>) {
  if (ETag === '') throw notS3()
  return { size: ContentLength, version: ETag, ...notedHash(Metadata) }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    throw notS3()
  }
}

function notS3(): PreviewdError {
  return new PreviewdError('SOURCE_UNREACHABLE', `${SERVICE} gave an answer that is not one of S3.`)
}

function ignore(): void {
  return
}
