import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import semver from 'semver'
import { extract } from 'tar-stream'
import type { NodeProgram } from '../model/environment.ts'
import type { RegistryClient } from './registry-client.ts'

export interface NodeReleasesOptions {
  /** Host folder of the programs, which workers may enter. */
  dir: string
  client: Pick<RegistryClient, 'ask'>
  /** Releases younger than this are left out, as with packages. */
  minimumReleaseAgeMinutes: number
  /** Milliseconds since 1970. */
  now?: () => number
}

/** Why a Node is not there; the message is a reason in one sentence without its subject. */
export class NodeUnavailable extends Error {}

const PACKAGE = `node-linux-${process.arch}`
const TEMPORARY = '.node-'
const PROGRAM_ENTRY = 'package/bin/node'
const MIB = 1024 * 1024
const MAX_METADATA_BYTES = 64 * MIB
const MAX_TARBALL_BYTES = 256 * MIB
const MAX_UNPACKED_BYTES = 1024 * MIB
/** After so long a newer release of the major is looked for. */
const REFRESH_AFTER_MS = 30 * 24 * 60 * 60 * 1000
/** A registry that failed is not asked again by each build. */
const RETRY_AFTER_MS = 30_000

interface Release {
  version: string
  tarball: string
  integrity: string
}

/**
 * The Nodes that run project code in place of the server's own: one release of each major, from the registry that
 * packages come from, downloaded when a project first asks for it and shared by all. Nothing here runs them.
 */
export class NodeReleases {
  readonly #options: NodeReleasesOptions
  readonly #now: () => number
  readonly #coming = new Map<number, Promise<NodeProgram>>()
  #swept: Promise<void> | undefined
  readonly #failed = new Map<number, { atMs: number; error: NodeUnavailable }>()

  constructor(options: NodeReleasesOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Rejects with NodeUnavailable. Those who ask at the same time wait for one download. */
  get(major: number): Promise<NodeProgram> {
    const coming = this.#coming.get(major) ?? this.#find(major).finally(() => this.#coming.delete(major))
    this.#coming.set(major, coming)
    return coming
  }

  async #find(major: number): Promise<NodeProgram> {
    this.#swept ??= this.#sweep().catch((error: unknown) => {
      this.#swept = undefined
      throw error
    })
    await this.#swept
    const kept = await this.#kept(major)
    const isFresh = kept !== undefined && this.#now() - kept.checkedMs < REFRESH_AFTER_MS
    if (isFresh) return kept.program
    const failed = this.#failed.get(major)
    const mayTry = failed === undefined || this.#now() - failed.atMs >= RETRY_AFTER_MS
    try {
      if (!mayTry) throw failed.error
      return await this.#renew(major, kept?.program)
    } catch (cause) {
      const error = cause instanceof NodeUnavailable ? cause : new NodeUnavailable(reasonOf(cause), { cause })
      if (mayTry) this.#failed.set(major, { atMs: this.#now(), error })
      // An older release is better than none.
      if (kept !== undefined) return kept.program
      throw error
    }
  }

  async #kept(major: number): Promise<{ program: NodeProgram; checkedMs: number } | undefined> {
    const [version] = await this.#versions(major)
    if (version === undefined) return undefined
    const program = this.#programOf(version)
    return { program, checkedMs: (await stat(program.path)).mtimeMs }
  }

  /** What a server left that ended in the middle of a download: some 100 MB each. */
  async #sweep(): Promise<void> {
    const { dir } = this.#options
    await mkdir(dir, { recursive: true })
    for (const name of await readdir(dir)) {
      if (name.startsWith(TEMPORARY)) await rm(join(dir, name), { recursive: true, force: true })
    }
  }

  /** Newest first. */
  async #versions(major: number): Promise<string[]> {
    await mkdir(this.#options.dir, { recursive: true })
    const names = await readdir(this.#options.dir)
    const versions = names.flatMap((name) => /^node-v(\d+\.\d+\.\d+)$/.exec(name)?.[1] ?? [])
    return semver.rsort(versions.filter((found) => semver.major(found) === major))
  }

  async #renew(major: number, kept: NodeProgram | undefined): Promise<NodeProgram> {
    const release = await this.#newest(major)
    if (kept?.version === release.version) {
      const at = this.#now() / 1000
      await utimes(kept.path, at, at)
      return kept
    }
    const program = await this.#download(release)
    await this.#removeOthers(major, [release.version, kept?.version])
    return program
  }

  /** The one before stays, for workers that are just being started with it. */
  async #removeOthers(major: number, kept: (string | undefined)[]): Promise<void> {
    for (const version of await this.#versions(major)) {
      if (!kept.includes(version)) await rm(join(this.#programOf(version).path, '..'), { recursive: true })
    }
  }

  async #newest(major: number): Promise<Release> {
    const answer = await this.#options.client.ask('GET', PACKAGE, {
      accept: 'application/json',
      'accept-encoding': 'gzip, br',
    })
    if (answer.status !== 200) {
      answer.body.destroy()
      throw new NodeUnavailable(`the registry answered ${answer.status} for ${PACKAGE}`)
    }
    const packument: unknown = JSON.parse(await text(answer.body.compose(limit(MAX_METADATA_BYTES))))
    const { versions = {}, time = {} } = packument as Packument
    const ageMs = this.#options.minimumReleaseAgeMinutes * 60_000
    const oldEnough = (version: string) =>
      ageMs === 0 || this.#now() - Date.parse(time[version] ?? '') >= ageMs
    const fitting = Object.keys(versions).filter(
      (version) => new RegExp(`^${major}\\.\\d+\\.\\d+$`).test(version) && oldEnough(version),
    )
    const [version] = semver.rsort(fitting)
    const dist = version === undefined ? undefined : versions[version]?.dist
    if (version === undefined) throw new NodeUnavailable(`the registry has no release of it that may be used`)
    const integrity = /^sha512-[A-Za-z0-9+/]{86}==$/.exec(String(dist?.integrity))?.[0]
    if (integrity === undefined)
      throw new NodeUnavailable(`the registry vouches for no content of ${version}`)
    // Whatever host the metadata names: the bytes come from the configured registry.
    return { version, integrity, tarball: `${PACKAGE}/-/${PACKAGE}-${version}.tgz` }
  }

  async #download({ version, tarball, integrity }: Release): Promise<NodeProgram> {
    const { dir, client } = this.#options
    await mkdir(dir, { recursive: true })
    // Not left to the umask: workers have other uids.
    await chmod(dir, 0o755)
    const temporary = join(dir, TEMPORARY + randomBytes(6).toString('hex'))
    try {
      await mkdir(temporary)
      await chmod(temporary, 0o755)
      const answer = await client.ask('GET', tarball, { accept: '*/*', 'accept-encoding': 'identity' })
      if (answer.status !== 200) {
        answer.body.destroy()
        throw new NodeUnavailable(`the registry answered ${answer.status} for ${version}`)
      }
      const digest = await unpackProgram(answer.body, join(temporary, 'node'))
      if (digest !== integrity) throw new NodeUnavailable(`${version} is not what the registry vouches for`)
      const program = this.#programOf(version)
      await rename(temporary, join(program.path, '..'))
      return program
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }

  #programOf(version: string): NodeProgram {
    return { version, path: join(this.#options.dir, `node-v${version}`, 'node') }
  }
}

interface Packument {
  versions?: Record<string, { dist?: { integrity?: unknown } }>
  time?: Record<string, string>
}

/** Writes the program of a package to a file; resolves with the integrity of the whole tarball. */
async function unpackProgram(tarball: NodeJS.ReadableStream, file: string): Promise<string> {
  const hash = createHash('sha512')
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  const archive = extract()
  let found = false
  archive.on('entry', (header, entry, next) => {
    if (header.name !== PROGRAM_ENTRY || header.type !== 'file' || found) {
      entry.resume().on('end', next)
      return
    }
    found = true
    pipeline(entry, createWriteStream(file, { mode: 0o755, flush: true })).then(() => next(), next)
  })
  await pipeline(
    tarball,
    limit(MAX_TARBALL_BYTES),
    hashed,
    createGunzip(),
    limit(MAX_UNPACKED_BYTES),
    archive,
  )
  if (!found) throw new NodeUnavailable(`its package has no ${PROGRAM_ENTRY}`)
  await chmod(file, 0o755)
  return `sha512-${hash.digest('base64')}`
}

function limit(bytes: number): Transform {
  let missing = bytes
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      missing -= chunk.length
      if (missing < 0) done(new NodeUnavailable(`it is larger than ${bytes} bytes`))
      else done(null, chunk)
    },
  })
}

/** The system's word for it (ECONNREFUSED) says more than a message with an address. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code ?? message
}
