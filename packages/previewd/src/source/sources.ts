import type { Config } from '../config.ts'
import { PreviewdError } from '../errors.ts'
import type { Egress } from '../model/egress.ts'
import type { Project, SourceSettings } from '../model/project.ts'
import type { PulledSettings, Source, SourceOwner, SourceRequest, Sources } from '../model/source.ts'
import type { Workers } from '../model/worker.ts'
import { AzureKind } from './azure-kind.ts'
import { GitKind } from './git-kind.ts'
import { parseGitHost, parseGitToken } from './git-place.ts'
import { LocalKind } from './local-kind.ts'
import { followsExternalId, type Place, parsePlace } from './places.ts'
import { S3Kind } from './s3-kind.ts'
import type { SourceKind } from './source-kind.ts'

type Kinds = { [K in PulledSettings['kind']]?: SourceKind<K> }

/** What git needs, which reads what hosts send in a sandbox. */
export interface SandboxParts {
  workers: Workers
  /** Leads to the hosts of `gitReach` alone. */
  egress: Egress
  tmpDir: string
}

/**
 * The sources that the operator set; throws a readable Error where the settings do not fit. There is no git without
 * a sandbox. `pauseMs` is that before an object store is asked again.
 */
export function createSources(
  { sources, limits, build }: Pick<Config, 'sources' | 'limits' | 'build'>,
  sandbox?: SandboxParts,
  pauseMs?: number,
): Sources {
  const { azure, s3, git, timeoutMs } = sources
  const places = sources.places.map(parsePlace)
  const waits = { timeoutMs, pauseMs }
  return new ConfiguredSources(
    {
      'azure-blob': new AzureKind(azure, places, waits),
      s3: new S3Kind(s3, places, waits),
      local: new LocalKind(sources.localRoots),
      ...(sandbox && {
        git: new GitKind({
          ...sandbox,
          hosts: git.hosts.map(parseGitHost),
          tokens: git.tokens.map(parseGitToken),
          authorities: git.authorities,
          limits: {
            memoryBytes: build.memoryBytes,
            timeoutMs: git.timeoutMs,
            silentMs: timeoutMs,
            files: limits.files,
            bytes: limits.projectBytes,
          },
        }),
      }),
    },
    places,
  )
}

class ConfiguredSources implements Sources {
  readonly #kinds: Kinds
  readonly #places: readonly Place[]

  constructor(kinds: Kinds, places: readonly Place[]) {
    this.#kinds = kinds
    this.#places = places
  }

  get followExternalId(): boolean {
    return this.#places.some(followsExternalId)
  }

  resolve(asked: SourceRequest, owner: SourceOwner): SourceSettings {
    return asked.kind === 'push' ? asked : this.#kind(asked.kind).resolve(asked, owner)
  }

  forUnknown(owner: SourceOwner): PulledSettings | undefined {
    const kind = this.#places[0]?.kind
    return kind && this.#kind(kind).resolve({ kind }, owner)
  }

  async open(project: Project): Promise<Source> {
    const { source } = project.settings
    if (source.kind === 'push') {
      throw new PreviewdError(
        'SOURCE_NOT_SUPPORTED',
        'The files of this project are pushed: send them to /changes.',
      )
    }
    return this.#kind(source.kind).open(source, project)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kind of Object.values(this.#kinds)) await kind.close?.()
  }

  #kind(kind: PulledSettings['kind']): SourceKind<PulledSettings['kind']> {
    const found = this.#kinds[kind] as SourceKind<PulledSettings['kind']> | undefined
    if (found) return found
    throw new PreviewdError('SOURCE_NOT_SUPPORTED', `This server has no ${kind} sources.`)
  }
}
