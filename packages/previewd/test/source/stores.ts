import {
  DeleteObjectCommand,
  type _Object as ListedObject,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { SourceRequest } from '../../src/model/source.ts'
import { AZURITE_ACCOUNT, AZURITE_KEY, S3_KEY, startAzurite, startS3Server } from './object-servers.ts'

const CONTAINER = 'projects'

/** A real object store and what a test does to it beside previewd. */
export interface TestStore extends AsyncDisposable {
  kind: 'azure-blob' | 's3'
  /** Without a slash at its end. */
  url: string
  /** What the operator sets to reach it, or what stands in front of it at another address. */
  environment(url?: string): Record<string, string>
  source: SourceRequest
  put(name: string, content: string | Buffer, metadata?: Record<string, string>): Promise<void>
  remove(name: string): Promise<void>
  names(prefix: string): Promise<string[]>
}

export const STORES = { azurite, s3 } as const

async function azurite(): Promise<TestStore> {
  const server = await startAzurite()
  const address = `${server.url}/${AZURITE_ACCOUNT}`
  const credential = new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY)
  const container = new BlobServiceClient(address, credential).getContainerClient(CONTAINER)
  await container.create()
  return {
    kind: 'azure-blob',
    url: server.url,
    environment: (url = server.url) => ({
      PREVIEWD_SOURCES: `azure-blob:${CONTAINER}`,
      PREVIEWD_AZURE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=${AZURITE_ACCOUNT};AccountKey=${AZURITE_KEY};BlobEndpoint=${url}/${AZURITE_ACCOUNT};`,
    }),
    source: { kind: 'azure-blob' },
    put: async (name, content, metadata = {}) => {
      const bytes = Buffer.from(content)
      await container.getBlockBlobClient(name).upload(bytes, bytes.length, { metadata })
    },
    remove: async (name) => {
      await container.deleteBlob(name)
    },
    names: async (prefix) => {
      const names: string[] = []
      for await (const { name } of container.listBlobsFlat({ prefix })) names.push(name)
      return names
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function s3(): Promise<TestStore> {
  const server = await startS3Server(CONTAINER)
  const client = new S3Client({
    endpoint: server.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: S3_KEY, secretAccessKey: S3_KEY },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  return {
    kind: 's3',
    url: server.url,
    environment: (url = server.url) => ({
      PREVIEWD_SOURCES: `s3:${CONTAINER}`,
      PREVIEWD_S3_ENDPOINT: url,
      PREVIEWD_S3_ACCESS_KEY_ID: S3_KEY,
      PREVIEWD_S3_SECRET_ACCESS_KEY: S3_KEY,
    }),
    source: { kind: 's3' },
    put: async (Key, content, Metadata = {}) => {
      await client.send(
        new PutObjectCommand({ Bucket: CONTAINER, Key, Body: Buffer.from(content), Metadata }),
      )
    },
    remove: async (Key) => {
      await client.send(new DeleteObjectCommand({ Bucket: CONTAINER, Key }))
    },
    names: async (Prefix) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: CONTAINER, Prefix }))
      return Contents.map(({ Key = '' }: ListedObject) => Key)
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}
