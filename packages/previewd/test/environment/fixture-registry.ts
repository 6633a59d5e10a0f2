import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

export interface FixturePackage {
  name: string
  version: string
  /** Content by path; package.json is made of the fields here. */
  files?: Record<string, string>
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  bin?: Record<string, string>
  /** More fields of package.json and of the metadata, e.g. `type`, `scripts`, `os`. */
  manifest?: Record<string, unknown>
  /** ISO 8601; long ago by default. */
  publishedAt?: string
  /** `tampered`: the tarball is not the one the metadata vouches for; `unsigned`: the metadata has no integrity. */
  defect?: 'tampered' | 'unsigned'
  /** Published with an attestation of its provenance. */
  provenance?: boolean
}

export interface FixtureRegistryOptions {
  packages: FixturePackage[]
  /** Requests without this bearer token are answered 401. */
  token?: string
}

export interface FixtureRegistry {
  /** Address with a slash at its end. */
  url: string
  /** Method and path of every request so far. */
  requests: string[]
  /** Sends only half of the next answer to that path, and keeps the connection. */
  stall(path: string): void
  /** Adds a release while the registry runs. */
  publish(release: FixturePackage): Promise<void>
  /** What the metadata says of a release, e.g. for a lockfile. */
  integrityOf(name: string, version: string): string
  close(): Promise<void>
}

interface Release {
  integrity: string
  manifest: Record<string, unknown>
  publishedAt: string
  tarball: Buffer
}

const ATTESTATIONS = { provenance: { predicateType: 'https://slsa.dev/provenance/v1' } }
const LONG_AGO = '2020-01-01T00:00:00.000Z'

/** A small package registry on the loopback interface, whose tarballs are made of the packages given. */
export async function startFixtureRegistry(options: FixtureRegistryOptions): Promise<FixtureRegistry> {
  const releases = new Map<string, Map<string, Release>>()
  const requests: string[] = []
  const stalls = new Set<string>()
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const isAllowed =
      options.token === undefined || request.headers.authorization === `Bearer ${options.token}`
    const found = isAllowed ? find(request, releases, url) : { status: 401, content: '{}' }
    response.writeHead(found.status, { 'content-type': found.type ?? 'application/json' })
    if (stalls.delete(request.url ?? '')) response.write(found.content.slice(0, found.content.length / 2))
    else response.end(found.content)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const publish = async (release: FixturePackage) => {
    const versions = releases.get(release.name) ?? new Map<string, Release>()
    releases.set(release.name, versions.set(release.version, await makeRelease(release, url)))
  }
  for (const release of options.packages) await publish(release)
  const close = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const integrityOf = (name: string, version: string) => releases.get(name)?.get(version)?.integrity ?? ''
  return { url, requests, stall: (path) => void stalls.add(path), publish, integrityOf, close }
}

async function makeRelease(release: FixturePackage, url: string): Promise<Release> {
  const { name, version, dependencies, optionalDependencies, peerDependencies, bin } = release
  const fields = { dependencies, optionalDependencies, peerDependencies, bin }
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  const manifest = { name, version, ...given, ...release.manifest }
  const files = { 'index.js': `module.exports = '${version}'`, ...release.files }
  const tarball = await makeTarball({ 'package.json': JSON.stringify(manifest), ...files })
  const signed = release.defect === 'tampered' ? Buffer.from('other bytes') : tarball
  const integrity = `sha512-${createHash('sha512').update(signed).digest('base64')}`
  const dist = {
    tarball: `${url}${name}/-/${fileNameOf(name, version)}`,
    ...(release.defect === 'unsigned' ? {} : { integrity }),
    ...(release.provenance ? { attestations: ATTESTATIONS } : {}),
  }
  return { integrity, manifest: { ...manifest, dist }, publishedAt: release.publishedAt ?? LONG_AGO, tarball }
}

async function makeTarball(files: Record<string, string>): Promise<Buffer> {
  const archive = pack()
  for (const [path, content] of Object.entries(files)) archive.entry({ name: `package/${path}` }, content)
  archive.finalize()
  return await buffer(archive.pipe(createGzip()))
}

function fileNameOf(name: string, version: string): string {
  return `${name.replace(/^@[^/]+\//, '')}-${version}.tgz`
}

interface Answer {
  status: number
  type?: string
  content: string | Buffer
}

function find(request: IncomingMessage, releases: Map<string, Map<string, Release>>, url: string): Answer {
  const path = decodeURIComponent(new URL(request.url ?? '', url).pathname.slice(1))
  const [name = '', file] = path.split('/-/')
  const versions = releases.get(name)
  if (versions !== undefined && file === undefined) {
    return { status: 200, content: JSON.stringify(metadataOf(name, versions)) }
  }
  const found = [...(versions ?? [])].find(([version]) => file === fileNameOf(name, version))
  if (found === undefined) return { status: 404, content: '{"error":"not_found"}' }
  return { status: 200, type: 'application/octet-stream', content: found[1].tarball }
}

function metadataOf(name: string, versions: Map<string, Release>) {
  const times = [...versions].map(([version, { publishedAt }]) => [version, publishedAt] as const)
  const modified = times
    .map(([, time]) => time)
    .sort()
    .at(-1)
  return {
    name,
    'dist-tags': { latest: [...versions.keys()].at(-1) },
    modified,
    time: { created: times[0]?.[1], modified, ...Object.fromEntries(times) },
    versions: Object.fromEntries([...versions].map(([version, { manifest }]) => [version, manifest])),
  }
}
