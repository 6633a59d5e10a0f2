/** Address of the registry proxy inside the installer's sandbox; a constant, so that lockfiles repeat. */
export const PROXY_PORT = 4873
export const PROXY_URL = `http://127.0.0.1:${PROXY_PORT}/`

const TARBALL_FIELD = /("tarball"\s*:\s*")([^"\\]{1,1024})"/g
const TARBALL_PATH = /\/(?:@[^/]+\/)?[^/]+\/-\/[^/?#]+$/

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
