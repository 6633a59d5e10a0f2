/** What a program writes while it ends: where it was, not why. */
const PLACE = /^\s|^goroutine \d|^Node\.js v\d/
/** An error further back was of something else. */
const MAX_LINES_AFTER = 30
const ERROR = /Error(?: \[\w+\])?: |\berror: /

/** Of the lines that a program wrote to its error stream, the one that says most of why it ended. */
export class TellingLine {
  #line = ''
  #after = 0

  get text(): string {
    return this.#line
  }

  push(line: string): void {
    if (line.trim() === '' || PLACE.test(line)) return
    // What comes after an error follows from it, unless it is one itself.
    if (ERROR.test(this.#line) && !ERROR.test(line) && this.#after++ < MAX_LINES_AFTER) return
    this.#line = line
    this.#after = 0
  }
}
