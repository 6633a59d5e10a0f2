import { createRequire } from 'node:module'
import { join } from 'node:path'

/** An S3 server over a folder, with one bucket: prints its address and runs until it is ended. */
const [packages = '', directory = '', bucket = ''] = process.argv.slice(2)
const S3rver = createRequire(join(packages, 'package.json'))('@20minutes/s3rver')
const options = {
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory,
  configureBuckets: [{ name: bucket }],
  // It cannot verify listings as the SDK signs them; an unknown key is refused all the same.
  allowMismatchedSignatures: true,
}
const { port } = await new S3rver(options).run()
console.log(`listens on http://127.0.0.1:${port}`)
