import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { createS3Client, S3Source } from '../../src/source/s3.ts'

const LISTING = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated>
<Contents><Key>p/a</Key><Size>1</Size><ETag>"1"</ETag></Contents></ListBucketResult>`

it('takes a listing that has more, and does not say where, for no answer of S3', async () => {
  const server = createServer((_req, res) => res.setHeader('content-type', 'application/xml').end(LISTING))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = createS3Client({
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId: 'key',
    secretAccessKey: 'secret',
  } as Parameters<typeof createS3Client>[0])
  const source = new S3Source(client, { container: 'bucket', prefix: 'p/', timeoutMs: 5000 })
  await expect(Array.fromAsync(source.list(new AbortController().signal))).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
  })
  client.destroy()
  server.closeAllConnections()
  server.close()
})
