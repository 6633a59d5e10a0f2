import { PackFile } from '../../lib/pack/pack-file.ts'
import type { FileEntry, Snapshot } from '../../model/files.ts'
import type { PageRequest, RecordedAnswer, RecordedPage } from '../../model/session.ts'
import { manifestDiff } from '../manifest-diff.ts'
import { findStale, type IsStale, type MadeOf } from './stale-answers.ts'

/** The file in the pack that says what the others are. */
export const INDEX = 'index.json'
export const FORMAT = 2

export interface RecordingIndex extends MadeOf {
  format: typeof FORMAT
  /** Of the settings that the project had. */
  settingsKey: string
  generation: string
  /** Which the page shows to be let onto the socket of the dev server. */
  token: string
  /** Of the dependencies that the modules name. */
  bundle?: string
  files: readonly FileEntry[]
  answers: { request: PageRequest; headers: string[]; file: string; isGzipped: boolean }[]
}

/** A page as it was recorded; its contents stay on the disk until they are asked for. */
export class Recording {
  readonly index: Readonly<RecordingIndex>
  readonly #pack: PackFile
  readonly #answers: ReadonlyMap<string, RecordingIndex['answers'][number]>
  #isClosed = false

  private constructor(pack: PackFile, index: RecordingIndex) {
    this.#pack = pack
    this.index = index
    this.#answers = new Map(index.answers.map((answer) => [toKey(answer.request), answer]))
  }

  /** Undefined where there is none, or one of another version of this server. */
  static async open(path: string): Promise<Recording | undefined> {
    const pack = await PackFile.open(path)
    if (!pack) return undefined
    const entry = pack.index.get(INDEX)
    const index = entry && (JSON.parse((await pack.read(entry)).toString('utf8')) as RecordingIndex)
    if (index?.format === FORMAT) return new Recording(pack, index)
    await pack.release()
    return undefined
  }

  /** What of it holds for a later revision; undefined where that is not known of any of it. */
  at({ revision, files }: Pick<Snapshot, 'revision' | 'files'>): CurrentPage | undefined {
    const before = new Map(this.index.files.map((entry) => [entry.path, entry]))
    const isStale = findStale(this.index, manifestDiff(before, files))
    return isStale && new CurrentPage(this, revision, isStale)
  }

  async find(request: PageRequest): Promise<RecordedAnswer | undefined> {
    const answer = this.#answers.get(toKey(request)) ?? this.#pageFor(request)
    const entry = answer && this.#pack.index.get(answer.file)
    if (!entry || this.#isClosed) return undefined
    this.#pack.retain()
    try {
      return { headers: answer.headers, body: await this.#pack.read(entry), isGzipped: answer.isGzipped }
    } finally {
      await this.#pack.release()
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#pack.release()
  }

  /** Vite answers with the one page of an app at every address that is not that of a file, or of another page. */
  #pageFor({ url, accept }: PageRequest): RecordingIndex['answers'][number] | undefined {
    const [path = ''] = url.split('?', 1)
    if (accept !== 'page' || /\.[^/]*$/.test(path)) return undefined
    const pages = this.index.files.filter((file) => file.path.endsWith('.html'))
    if (pages.length > 1) return undefined
    return this.index.answers.find(({ request }) => request.accept === 'page')
  }
}

function toKey({ url, accept }: PageRequest): string {
  return `${accept} ${url}`
}

/** The part of a recording that a dev server with the files of the revision would answer alike. */
export class CurrentPage implements RecordedPage {
  readonly revision: number
  readonly isWhole: boolean
  readonly isStale: IsStale
  readonly #recording: Recording

  constructor(recording: Recording, revision: number, isStale: IsStale) {
    this.#recording = recording
    this.revision = revision
    this.isStale = isStale
    this.isWhole = !this.requests.some(isStale)
  }

  get index(): Readonly<RecordingIndex> {
    return this.#recording.index
  }

  get generation(): string {
    return this.index.generation
  }

  /** All that the page asks for, also what only the dev server has now. */
  get requests(): PageRequest[] {
    return this.index.answers.map(({ request }) => request)
  }

  get modules(): string[] {
    return this.requests.flatMap(({ url, isModule }) => (isModule ? url : []))
  }

  async find(request: PageRequest): Promise<RecordedAnswer | undefined> {
    return this.isStale(request) ? undefined : await this.#recording.find(request)
  }

  outdated(): CurrentPage {
    return new CurrentPage(this.#recording, this.revision, () => true)
  }

  async close(): Promise<void> {
    await this.#recording.close()
  }
}
