import { Transform } from 'node:stream'

/** Address of the registry proxy inside the installer's sandbox; a constant, so that lockfiles repeat. */
export const PROXY_PORT = 4873
export const PROXY_URL = `http://127.0.0.1:${PROXY_PORT}/`

const TARBALL_FIELD = /("tarball"[ \t\r\n]{0,16}:[ \t\r\n]{0,16}")([^"\\]{1,1024})"/g
const TARBALL_PATH = /\/(?:@[^/]+\/)?[^/]+\/-\/[^/?#]+$/
/** The longest match there can be, rounded up. */
const LONGEST_FIELD = 1200

/**
 * Points the tarball addresses of package metadata (a "packument", JSON as the registry sent it) at the proxy.
 * Addresses on other hosts keep the path that registries use for the package, so that the bytes still come from the
 * configured registry.
 */
export function rewriteTarballs(packument: string, registryUrl: string): string {
  return packument.replace(TARBALL_FIELD, (field, opening: string, address: string) => {
    const path = address.startsWith(registryUrl)
      ? `/${address.slice(registryUrl.length)}`
      : TARBALL_PATH.exec(address)?.[0]
    return path === undefined ? field : `${opening}${PROXY_URL}${path.slice(1)}"`
  })
}

/** The same for a stream of bytes, in memory that does not grow with the metadata. */
export function tarballRewriter(registryUrl: string): Transform {
  // One character a byte: what is looked for is ASCII, and no character is cut at the end of a chunk.
  let carried = ''
  const rewrite = (text: string) => Buffer.from(rewriteTarballs(text, registryUrl), 'latin1')
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = carried + chunk.toString('latin1')
      const last = text.lastIndexOf('"tarball"')
      const isOpen = last !== -1 && text.length - last <= LONGEST_FIELD
      const end = isOpen ? last : Math.max(0, text.length - '"tarball"'.length)
      carried = text.slice(end)
      done(null, rewrite(text.slice(0, end)))
    },
    flush(done) {
      done(null, rewrite(carried))
    },
  })
}
