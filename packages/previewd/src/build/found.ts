import type { Diagnostic } from '../model/diagnostic.ts'

/** A diagnostic as it is found, with what its place can be looked up by. */
export type Found = Diagnostic & {
  /** The import that failed, as it stands in `file`. */
  findImport?: string
  /** The line of the problem as the tool quotes it, which may be one of code that was made of `file`. */
  findLine?: string
  /** A JSON file is broken, and the tool did not say which. */
  findInvalidJson?: boolean
}
