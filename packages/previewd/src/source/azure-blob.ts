import { Readable } from 'node:stream'
import {
  type BlobDownloadResponseParsed,
  type BlobServiceClient,
  type ContainerClient,
  RestError,
} from '@azure/storage-blob'
import { PreviewdError } from '../errors.ts'
import { contentTypeOf } from '../lib/content-type.ts'
import type { FileEntry } from '../model/files.ts'
import type { FetchedFile, Source, SourceFile } from '../model/source.ts'
import { notedHash } from './noted-hash.ts'
import { endlessListing, MAX_PAGES, type ObjectSourceOptions } from './object-places.ts'
import { ObjectRequests, type Refusal } from './object-requests.ts'

const SERVICE = 'Azure Blob Storage'
const PAGE = 5000
const WRITE_BLOCK_BYTES = 4 * 1024 * 1024
const WRITE_BLOCKS = 2

/** The files below a prefix of a container of Azure Blob Storage; `sha256` in a blob's metadata is their hash. */
export class AzureBlobSource implements Source {
  readonly #container: ContainerClient
  readonly #prefix: string
  readonly #requests: ObjectRequests

  constructor(client: BlobServiceClient, options: ObjectSourceOptions) {
    this.#container = client.getContainerClient(options.container)
    this.#prefix = options.prefix
    this.#requests = new ObjectRequests({ service: SERVICE, noun: 'container', refusalIn }, options)
  }

  async *list(signal: AbortSignal): AsyncGenerator<SourceFile> {
    const prefix = this.#prefix
    let token: string | undefined
    for (let pages = 0; pages === 0 || token !== undefined; pages++) {
      if (pages === MAX_PAGES) throw endlessListing(SERVICE)
      const page = await this.#requests.attempt(signal, async (abortSignal) => {
        const listing = this.#container
          .listBlobsFlat({ prefix, includeMetadata: true, abortSignal })
          .byPage({ maxPageSize: PAGE, ...(token && { continuationToken: token }) })
        return (await listing.next()).value
      })
      for (const { name, properties, metadata } of page?.segment.blobItems ?? []) {
        if (isFolder(metadata)) continue
        const size = properties.contentLength ?? 0
        yield {
          path: name.slice(prefix.length),
          size,
          version: quoted(properties.etag),
          ...notedHash(metadata),
        }
      }
      token = page?.continuationToken || undefined
    }
  }

  async find(path: string, signal: AbortSignal): Promise<SourceFile | undefined> {
    const found = await this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() => this.#blob(path).getProperties({ abortSignal })),
    )
    if (!found || isFolder(found.metadata)) return undefined
    return { path, size: found.contentLength ?? 0, version: quoted(found.etag), ...notedHash(found.metadata) }
  }

  async read(file: SourceFile, signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined> {
    const answer = await this.#download(file.path, signal, { ifMatch: file.version })
    return answer && this.#content(file.path, answer, signal)
  }

  async fetch(path: string, signal: AbortSignal): Promise<FetchedFile | undefined> {
    const answer = await this.#download(path, signal, {})
    if (!answer) return undefined
    if (isFolder(answer.metadata)) {
      ;(answer.readableStreamBody as Readable).destroy()
      return undefined
    }
    const { contentLength: size = 0, etag } = answer
    return {
      file: { path, size, version: quoted(etag), ...notedHash(answer.metadata) },
      content: this.#content(path, answer, signal),
    }
  }

  async write(
    { path, size, sha256 }: FileEntry,
    content: () => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<string> {
    const blob = this.#container.getBlockBlobClient(this.#prefix + path)
    const options = { metadata: { sha256 }, blobHTTPHeaders: { blobContentType: contentTypeOf(path) } }
    const { etag } = await this.#requests.attempt(
      signal,
      async (abortSignal) => {
        const stream = Readable.from(content())
        if (size > WRITE_BLOCK_BYTES) {
          return blob.uploadStream(stream, WRITE_BLOCK_BYTES, WRITE_BLOCKS, { ...options, abortSignal })
        }
        const whole = Buffer.concat(await stream.toArray())
        return blob.upload(whole, whole.length, { ...options, abortSignal })
      },
      size,
    )
    return quoted(etag)
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() => this.#blob(path).delete({ abortSignal })),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections belong to the SDK's agent, which all clients share.
  }

  #blob(path: string) {
    return this.#container.getBlobClient(this.#prefix + path)
  }

  #download(path: string, signal: AbortSignal, conditions: { ifMatch?: string }) {
    return this.#requests.attempt(signal, (abortSignal) =>
      ifThere(() =>
        this.#blob(path).download(0, undefined, { abortSignal, conditions, maxRetryRequests: 0 }),
      ),
    )
  }

  #content(path: string, answer: BlobDownloadResponseParsed, signal: AbortSignal): AsyncIterable<Buffer> {
    const { readableStreamBody, contentLength = 0 } = answer
    return this.#requests.content(path, readableStreamBody as Readable, contentLength, signal)
  }
}

function refusalIn(error: unknown): Refusal | undefined {
  if (!(error instanceof RestError)) return undefined
  const { statusCode: status, code: reason, response } = error
  return { status, reason, retryAfter: response?.headers.get('retry-after') }
}

/** Undefined for a blob that is not there, or is not that version any more; other failures stay failures. */
async function ifThere<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (!(error instanceof RestError)) throw error
    const isGone = error.statusCode === 404 && !/^Container/.test(error.code ?? '')
    if (isGone || error.statusCode === 412) return undefined
    throw error
  }
}

/** Listings have entity tags without the quotes that they have in headers. */
function quoted(etag = ''): string {
  if (etag === '') {
    throw new PreviewdError('SOURCE_UNREACHABLE', `${SERVICE} gave an answer without a version.`)
  }
  return etag.startsWith('"') ? etag : `"${etag}"`
}

/** What stands for a folder in accounts with a hierarchical namespace. */
function isFolder(metadata: Record<string, string> | undefined): boolean {
  return metadata?.hdi_isfolder === 'true'
}
