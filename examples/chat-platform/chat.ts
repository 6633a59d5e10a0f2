import type { Project } from '@previewd/client'
import { type Part, partsOf } from './answer-parser.ts'
import { answerTo } from './model.ts'

/** What the page is told while an answer comes. */
export type Happening =
  | Part
  | { type: 'sent'; paths: string[] }
  | { type: 'problem'; text: string }
  | { type: 'done' }

const MAX_REPAIRS = 2

/** A conversation about one project: each message of the person becomes words, and files in the project. */
export class Chat {
  readonly #project: Project
  readonly #messages: string[] = []

  constructor(project: Project) {
    this.#project = project
  }

  /** Answers, and where the answer broke the app, gives the model its diagnostics to mend it. */
  async *say(message: string): AsyncGenerator<Happening> {
    let next: string | undefined = message
    for (let repairs = 0; next !== undefined && repairs <= MAX_REPAIRS; repairs++) {
      this.#messages.push(next)
      next = yield* this.#answer()
      if (next !== undefined) yield { type: 'problem', text: next }
    }
    yield { type: 'done' }
  }

  /** One answer of the model, into the project while it is written. Returns what is wrong then, as a prompt. */
  async *#answer(): AsyncGenerator<Happening, string | undefined> {
    const tracker = this.#project.trackStream({ onError: (error) => console.error(error.message) })
    for await (const part of partsOf(answerTo(this.#messages))) {
      if (part.type === 'fileStarted') tracker.fileStarted(part.path)
      if (part.type === 'fileChunk') tracker.fileChunk(part.path, part.text)
      if (part.type === 'fileFinished') tracker.fileFinished(part.path)
      if (part.type === 'fileDeleted') tracker.fileDeleted(part.path)
      yield part
    }
    const { sent, status } = await tracker.finish({ wait: 'built', timeoutMs: 60_000 })
    yield { type: 'sent', paths: sent }
    const isBroken = status?.diagnostics.some(({ severity }) => severity === 'error')
    return isBroken ? await this.#project.diagnostics({ format: 'prompt', maxChars: 4000 }) : undefined
  }
}
