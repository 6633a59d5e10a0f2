import PQueue from 'p-queue'
import { PreviewdError } from '../errors.ts'
import type { Egress } from '../model/egress.ts'
import type { Source, SourceOwner } from '../model/source.ts'
import type { Workers } from '../model/worker.ts'
import { type CloneLimits, cloneFiles } from './git-clone.ts'
import { CloneError } from './git-failure.ts'
import { checkFolder, checkRef, type GitHost, type GitToken, parseRepository } from './git-place.ts'
import { findGit, type GitProgram } from './git-program.ts'
import { type Fetch, GitSource } from './git-source.ts'
import { invalidPlace } from './places.ts'
import { type Failure, withRetries } from './retry.ts'
import type { RequestOf, SettingsOf, SourceKind } from './source-kind.ts'

export interface GitKindOptions {
  hosts: readonly GitHost[]
  tokens: readonly GitToken[]
  /** File of certificate authorities; undefined takes the system's. */
  authorities: string | undefined
  workers: Workers
  egress: Egress
  /** Folder for temporary files. */
  tmpDir: string
  limits: CloneLimits
}

/** Fetches beside one another: each has a worker. */
export const GIT_WORKERS = 2

/** A fetch ends by its own limit before that. */
const STOP_MS = 10_000

/** Repositories of the hosts that the operator named, over https. */
export class GitKind implements SourceKind<'git'> {
  readonly #options: GitKindOptions
  readonly #places = new PQueue({ concurrency: GIT_WORKERS })
  #program: Promise<GitProgram> | undefined

  constructor(options: GitKindOptions) {
    this.#options = options
  }

  resolve({ url, ref, path }: RequestOf<'git'>, owner: SourceOwner): SettingsOf<'git'> {
    const { hosts } = this.#options
    if (hosts.length === 0) throw notSupported()
    const repository = parseRepository(url, hosts)
    if (!owner.isTrusted && this.#token(repository)) {
      throw invalidPlace(
        'url',
        'the operator has a token for this host; a key that administers the server may set it',
      )
    }
    if (ref !== undefined) checkRef(ref)
    const folder = checkFolder(path)
    return {
      kind: 'git',
      url: repository.href,
      ...(ref !== undefined && { ref }),
      ...(folder !== undefined && { path: folder }),
      ...(owner.isTrusted && { isTrusted: true }),
    }
  }

  async open({ url, ref, path, isTrusted }: SettingsOf<'git'>): Promise<Source> {
    const { hosts, authorities, tmpDir } = this.#options
    if (hosts.length === 0) throw notSupported()
    const repository = parseRepository(url, hosts)
    this.#program ??= findGit(authorities)
    const program = await this.#program.catch((error: unknown) => {
      // It may be installed meanwhile.
      this.#program = undefined
      throw error
    })
    // A token that came after the address would otherwise read what its project could not name any more.
    const token = isTrusted ? this.#token(repository) : undefined
    const request = { url: repository, ref, path, token }
    const options = { ...this.#options, program }
    const timeoutMs = this.#options.limits.timeoutMs + STOP_MS
    const fetch: Fetch = (onEntry, signal) =>
      withRetries((attempt) => cloneFiles(options, request, onEntry, attempt), { signal, timeoutMs, judge })
    return new GitSource(
      (onEntry, signal) => this.#places.add(() => fetch(onEntry, signal), { signal }),
      tmpDir,
    )
  }

  #token({ host }: URL): GitToken | undefined {
    return this.#options.tokens.find((token) => token.host === host)
  }
}

function judge(thrown: unknown): Failure {
  if (thrown instanceof CloneError) return thrown.judged
  // Files may have been given out already, or it is nobody's fault but ours.
  throw thrown
}

function notSupported(): PreviewdError {
  return new PreviewdError(
    'SOURCE_NOT_SUPPORTED',
    'This server has no git sources: PREVIEWD_GIT_HOSTS is empty.',
  )
}
