import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { AZURITE_ACCOUNT, AZURITE_KEY } from './object-servers.ts'

export interface PlainAzure {
  /** How many blobs there are; reads the whole listing. */
  count(prefix: string): Promise<number>
  download(name: string): Promise<Buffer>
}

/** What anybody would write with the SDK alone, to measure beside it. */
export function plainAzure(url: string, container: string): PlainAzure {
  const credential = new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY)
  const client = new BlobServiceClient(`${url}/${AZURITE_ACCOUNT}`, credential).getContainerClient(container)
  return {
    async count(prefix) {
      let count = 0
      for await (const _ of client.listBlobsFlat({ prefix, includeMetadata: true })) count++
      return count
    },
    async download(name) {
      const { readableStreamBody } = await client.getBlobClient(name).download()
      return buffer(readableStreamBody as Readable)
    },
  }
}
