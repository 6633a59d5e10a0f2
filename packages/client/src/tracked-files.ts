import type { ChangeSet } from './changes.ts'
import { coherent, referencesOf } from './references.ts'

interface Waiting {
  /** Undefined: the file is deleted. */
  content: string | undefined
  references: readonly string[]
  sinceMs: number
  /** The server refused the batch that it was in: it waits for the last one, with everything else. */
  aside: boolean
}

export type Batch = ReadonlyMap<string, Waiting>

/** Finding out what fits together takes time that grows with the square of this. */
const MAX_WEIGHED = 500

/** The files of one stream: those being written, and those that wait to be sent. Holds no more than it may. */
export class TrackedFiles {
  readonly #open = new Map<string, { chunks: string[]; chars: number }>()
  readonly #waiting = new Map<string, Waiting>()
  readonly #maxChars: number
  #chars = 0

  constructor(maxChars: number) {
    this.#maxChars = maxChars
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Files that were begun and not finished. */
  get open(): string[] {
    return [...this.#open.keys()]
  }

  start(path: string): void {
    this.#close(path)
    this.#open.set(path, { chunks: [], chars: 0 })
  }

  /** False where there is no room for it: the file is dropped. */
  append(path: string, text: string): boolean {
    const file = this.#open.get(path)
    if (!file) return true
    if (this.#chars + text.length > this.#maxChars) {
      this.#close(path)
      return false
    }
    file.chunks.push(text)
    file.chars += text.length
    this.#chars += text.length
    return true
  }

  /** The content of what was written; undefined where the file was not begun. */
  end(path: string): string | undefined {
    const content = this.#open.get(path)?.chunks.join('')
    this.#close(path)
    return content
  }

  /** False where there is no room for it. `content` undefined: the file is deleted. */
  put(path: string, content: string | undefined): boolean {
    this.#close(path)
    this.#remove(path)
    const chars = content?.length ?? 0
    if (this.#chars + chars > this.#maxChars) return false
    this.#chars += chars
    const references = content === undefined ? [] : referencesOf(path, content)
    this.#waiting.set(path, { content, references, sinceMs: performance.now(), aside: false })
    return true
  }

  /**
   * Takes what can be shown: files that need nothing but each other and what is there, and those that waited for longer
   * than `maxHoldMs`. Deletions stay until the end, since what names the file may be rewritten only then.
   */
  takeCoherent(has: (path: string) => boolean, maxHoldMs: number): Batch {
    const oldestMs = performance.now() - maxHoldMs
    const candidates = [...this.#waiting].filter(([, { content, aside }]) => content !== undefined && !aside)
    const overdue = candidates.filter(([, { sinceMs }]) => sinceMs <= oldestMs).map(([path]) => path)
    if (candidates.length > MAX_WEIGHED) return this.#take(candidates.map(([path]) => path))
    const references = new Map(candidates.map(([path, { references }]) => [path, references]))
    for (const path of overdue) references.set(path, [])
    return this.#take(coherent(references, has))
  }

  takeAll(): Batch {
    return this.#take(this.#waiting.keys())
  }

  /** Puts back what was not sent, unless there is something newer. */
  putBack(batch: Batch, aside = false): void {
    for (const [path, waiting] of batch) {
      if (this.#waiting.has(path)) continue
      this.#waiting.set(path, { ...waiting, aside: waiting.aside || aside })
      this.#chars += waiting.content?.length ?? 0
    }
  }

  /** When the next file will have waited for `maxHoldMs`, in ms from now. */
  nextOverdueMs(maxHoldMs: number): number | undefined {
    const since = [...this.#waiting.values()].flatMap(({ content, aside, sinceMs }) =>
      content === undefined || aside ? [] : [sinceMs],
    )
    return since.length === 0 ? undefined : Math.min(...since) + maxHoldMs - performance.now()
  }

  #take(paths: Iterable<string>): Batch {
    const batch = new Map<string, Waiting>()
    for (const path of [...paths]) {
      const waiting = this.#waiting.get(path)
      if (waiting) batch.set(path, waiting)
      this.#remove(path)
    }
    return batch
  }

  #close(path: string): void {
    this.#chars -= this.#open.get(path)?.chars ?? 0
    this.#open.delete(path)
  }

  #remove(path: string): void {
    this.#chars -= this.#waiting.get(path)?.content?.length ?? 0
    this.#waiting.delete(path)
  }
}

export function toChangeSet(batch: Batch): Required<Pick<ChangeSet, 'files' | 'deleted'>> {
  const files: Record<string, string> = {}
  const deleted: string[] = []
  for (const [path, { content }] of batch) {
    if (content === undefined) deleted.push(path)
    else files[path] = content
  }
  return { files, deleted }
}
