import type { AppliedChanges, ApplyOptions, ChangeSet } from './changes.ts'
import { PreviewdError, PreviewdTimeoutError } from './errors.ts'
import type { CallOptions } from './options.ts'
import type { Manifest, Status } from './protocol.ts'
import { delayMs, sleep } from './retry.ts'
import { type Batch, TrackedFiles, toChangeSet } from './tracked-files.ts'
import type { WaitPoint } from './wait.ts'

export interface TrackerOptions {
  /** Start a live session as soon as there is a package.json, so that each further file shows at once. True unless given. */
  live?: boolean
  /** What went wrong on the way to previewd. Nothing of it is thrown, and `finish` tells what was not sent. */
  onError?: (error: PreviewdError) => void
  /** After each batch that was applied. */
  onSent?: (applied: AppliedChanges) => void
  /** How long a file waits for the files that it imports. 30 s unless given. */
  maxHoldMs?: number
  /** What may wait in memory, in characters. 32 million unless given; a file beyond that is dropped, and told of. */
  maxBufferedChars?: number
}

export interface FinishOptions {
  /** Wait until the last files reached this point. */
  wait?: WaitPoint
  /** How long all of it may take, 30 s unless given. */
  timeoutMs?: number
}

export interface StreamResult {
  /** Paths whose last content, or deletion, was applied. */
  sent: string[]
  /** What was not: give it to `applyChanges` later, or sync. Empty where all went well. */
  unsent: Required<Pick<ChangeSet, 'files' | 'deleted'>>
  /** Files that are not in `unsent` either: begun and never finished, refused by the server, or too much to hold. */
  dropped: { path: string; reason: 'unfinished' | 'refused' | 'no_room'; error?: PreviewdError }[]
  /** How the project stood after the last batch, with `wait` after that. */
  status: Status | undefined
}

/** What a tracker needs of its project. */
interface TrackedProject {
  readonly id: string
  readonly files: { list(options?: CallOptions): Promise<Manifest> }
  applyChanges(changes: ChangeSet, options?: ApplyOptions): Promise<AppliedChanges>
  startSession(options?: CallOptions): Promise<unknown>
}

const DEFAULT_HOLD_MS = 30_000
const DEFAULT_BUFFERED_CHARS = 32_000_000
const DEFAULT_FINISH_MS = 30_000
const LONGEST_PAUSE_MS = 30_000
const MANIFEST = /(?:^|\/)package\.json$/
const MAX_WAIT_MS = 120_000
/** Of what is left, kept for the answer to come back. */
const ANSWER_MS = 250
/** The server will say the same to the next call: only the last batch tries again. */
const FINAL = new Set([401, 403])
/** What was sent is not acceptable, whenever it is sent. */
const REFUSED = new Set([400, 409, 413, 422])

/**
 * Follows a model while it writes files, and sends each on its way as soon as the project can be shown with it: a file
 * waits for those that it imports, and everything that is finished while a call is under way goes with the next one.
 *
 * No method throws or waits but `finish`, whatever happens to previewd: what fails is told to `onError`, calls pause ever
 * longer, files wait in memory within a bound, and `finish` says what did not arrive.
 */
export class StreamTracker implements AsyncDisposable {
  readonly #project: TrackedProject
  readonly #options: TrackerOptions
  readonly #files: TrackedFiles
  readonly #sent = new Set<string>()
  readonly #dropped = new Map<string, StreamResult['dropped'][number]>()
  readonly #life = new AbortController()
  readonly #finishing = new AbortController()
  /** What the project has; undefined until the server told. */
  #known: Set<string> | undefined
  #status: Status | undefined
  #wake: ReturnType<typeof setTimeout> | undefined
  #run: Promise<void> | undefined
  #result: Promise<StreamResult> | undefined
  #hasSession = false

  constructor(project: TrackedProject, options: TrackerOptions = {}) {
    this.#project = project
    this.#options = options
    this.#files = new TrackedFiles(options.maxBufferedChars ?? DEFAULT_BUFFERED_CHARS)
  }

  /** The model begins a file; what it wrote of it before is forgotten. */
  fileStarted(path: string): void {
    if (this.#isOver(path)) return
    this.#dropped.delete(path)
    this.#files.start(path)
  }

  fileChunk(path: string, text: string): void {
    if (this.#isOver(path) || this.#files.append(path, text)) return
    this.#drop(path)
  }

  /** The file is whole: what its chunks say, or `content`. */
  fileFinished(path: string, content?: string): void {
    if (this.#isOver(path)) return
    const written = content ?? this.#files.end(path)
    if (written !== undefined) this.#put(path, written)
    else if (!this.#dropped.has(path))
      this.#tell(new PreviewdError('INVALID_OPTIONS', `${path} was not started.`))
  }

  fileDeleted(path: string): void {
    if (!this.#isOver(path)) this.#put(path, undefined)
  }

  /** Sends what is left, deletions too, and tells what became of everything. Never rejects. */
  finish(options: FinishOptions = {}): Promise<StreamResult> {
    this.#result ??= this.#finish(options)
    return this.#result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish()
  }

  #put(path: string, content: string | undefined): void {
    this.#dropped.delete(path)
    this.#sent.delete(path)
    if (this.#files.put(path, content)) this.#schedule(0)
    else this.#drop(path)
  }

  #drop(path: string): void {
    this.#dropped.set(path, { path, reason: 'no_room' })
    this.#tell(new PreviewdError('INVALID_OPTIONS', `${path} was dropped: too much waits to be sent.`))
  }

  #isOver(path: string): boolean {
    if (!this.#result) return false
    this.#tell(new PreviewdError('INVALID_OPTIONS', `${path} came after the end of the stream.`))
    return true
  }

  /** Not at once: what is finished in one go makes one batch, and the caller's stream does not wait. */
  #schedule(afterMs: number): void {
    if (this.#run || this.#result) return
    clearTimeout(this.#wake)
    this.#wake = setTimeout(
      () => {
        this.#run ??= this.#sendWhatFits().finally(() => {
          this.#run = undefined
          this.#scheduleHeld()
        })
      },
      Math.max(0, afterMs),
    )
  }

  #scheduleHeld(): void {
    const overdueMs = this.#files.nextOverdueMs(this.#maxHoldMs)
    if (overdueMs !== undefined && !this.#finishing.signal.aborted) this.#schedule(overdueMs)
  }

  get #maxHoldMs(): number {
    return this.#options.maxHoldMs ?? DEFAULT_HOLD_MS
  }

  async #sendWhatFits(): Promise<void> {
    for (let failures = 0; !this.#finishing.signal.aborted; ) {
      try {
        this.#known ??= await this.#loadKnown()
        const batch = this.#files.takeCoherent((path) => this.#known?.has(path) ?? false, this.#maxHoldMs)
        if (batch.size === 0) return
        await this.#send(batch)
        failures = 0
      } catch (error) {
        if (this.#life.signal.aborted) return
        this.#tell(error)
        if (error instanceof PreviewdError && FINAL.has(error.status ?? 0)) return this.#pause()
        await this.#pause(delayMs(failures++, LONGEST_PAUSE_MS))
      }
    }
  }

  /** Ends with the stream; until then, where no time is given. */
  async #pause(ms = 2 ** 31 - 1): Promise<void> {
    await sleep(ms, this.#finishing.signal).catch(() => undefined)
  }

  async #loadKnown(): Promise<Set<string>> {
    try {
      const { files } = await this.#project.files.list({ signal: this.#life.signal })
      return new Set(files.map(({ path }) => path))
    } catch (error) {
      if (error instanceof PreviewdError && error.code === 'PROJECT_NOT_FOUND') return new Set()
      throw error
    }
  }

  /** One that is refused waits for the end, when everything goes together. */
  async #send(batch: Batch): Promise<void> {
    try {
      await this.#apply(batch)
    } catch (error) {
      this.#files.putBack(batch, isRefusal(error))
      if (!isRefusal(error)) throw error
      return this.#tell(error)
    }
  }

  async #apply(batch: Batch, options: ApplyOptions = {}): Promise<void> {
    const changes = toChangeSet(batch)
    const applied = await this.#project.applyChanges(changes, { ...options, signal: this.#life.signal })
    this.#status = applied.status
    this.#note(changes)
    if (this.#options.live !== false) this.#startSession()
    this.#call(() => this.#options.onSent?.(applied))
  }

  #note({ files, deleted }: StreamResult['unsent']): void {
    this.#known ??= new Set()
    for (const path of Object.keys(files)) this.#known.add(path)
    for (const path of deleted) this.#known.delete(path)
    for (const path of [...Object.keys(files), ...deleted]) this.#sent.add(path)
  }

  /** As soon as there can be one, which takes a package.json; beside the files, which do not wait for it. */
  #startSession(): void {
    if (this.#hasSession || ![...(this.#known ?? [])].some((path) => MANIFEST.test(path))) return
    this.#hasSession = true
    this.#project.startSession({ signal: this.#life.signal }).catch((error: unknown) => {
      if (!this.#life.signal.aborted) this.#tell(error)
    })
  }

  async #finish({ wait, timeoutMs = DEFAULT_FINISH_MS }: FinishOptions): Promise<StreamResult> {
    clearTimeout(this.#wake)
    this.#finishing.abort()
    for (const path of this.#files.open) this.#dropped.set(path, { path, reason: 'unfinished' })
    const endMs = performance.now() + timeoutMs
    const timer = setTimeout(() => this.#life.abort(), timeoutMs)
    try {
      await this.#run
      await this.#sendRest(this.#files.takeAll())
      if (wait !== undefined && this.#sent.size > 0) await this.#waitFor(wait, endMs)
    } catch (error) {
      this.#tell(this.#life.signal.aborted ? tooLate(this.#project.id, timeoutMs) : error)
    } finally {
      clearTimeout(timer)
    }
    const left = this.#files.takeAll()
    return {
      // An answer may have come for what was written anew meanwhile.
      sent: [...this.#sent].filter((path) => !left.has(path)),
      unsent: toChangeSet(left),
      dropped: [...this.#dropped.values()],
      status: this.#status,
    }
  }

  /** In one batch; where that is refused in halves, until it is known which files are not acceptable. */
  async #sendRest(batch: Batch): Promise<void> {
    if (batch.size === 0) return
    try {
      await this.#apply(batch)
    } catch (error) {
      if (!isRefusal(error)) {
        this.#files.putBack(batch)
        throw error
      }
      const entries = [...batch]
      const [path] = entries[0] as [string, unknown]
      if (entries.length === 1) {
        this.#dropped.set(path, { path, reason: 'refused', error })
        return this.#tell(error)
      }
      const half = entries.length >> 1
      const others = new Map(entries.slice(half))
      try {
        await this.#sendRest(new Map(entries.slice(0, half)))
      } catch (failure) {
        this.#files.putBack(others)
        throw failure
      }
      await this.#sendRest(others)
    }
  }

  /** A batch of nothing makes no revision, and waits for the one that there is. */
  async #waitFor(wait: WaitPoint, endMs: number): Promise<void> {
    const timeoutMs = Math.min(MAX_WAIT_MS, Math.max(0, Math.floor(endMs - performance.now()) - ANSWER_MS))
    await this.#apply(new Map(), { wait, timeoutMs })
  }

  #tell(error: unknown): void {
    const told = error instanceof PreviewdError ? error : new PreviewdError('INTERNAL', String(error))
    this.#call(() => this.#options.onError?.(told))
  }

  /** What a callback throws is its own: it must not end the stream, nor what is sent of it. */
  #call(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      console.error('A callback of a stream tracker failed.', error)
    }
  }
}

function isRefusal(error: unknown): error is PreviewdError {
  return error instanceof PreviewdError && REFUSED.has(error.status ?? 0)
}

function tooLate(project: string, timeoutMs: number): PreviewdError {
  return new PreviewdTimeoutError(`The stream of ${project} was not sent within ${timeoutMs} ms.`)
}
