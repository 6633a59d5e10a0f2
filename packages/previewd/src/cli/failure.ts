/** What the program ends with; the same table stands in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
} as const

/** The end of a command: one sentence for the terminal, the exit code, and what `--json` prints. */
export class CommandFailure extends Error {
  readonly exitCode: number
  /** The server's code, e.g. `PROJECT_NOT_FOUND`. */
  readonly code: string | undefined

  constructor(exitCode: number, message: string, code?: string) {
    super(message)
    this.name = 'CommandFailure'
    this.exitCode = exitCode
    this.code = code
  }
}
