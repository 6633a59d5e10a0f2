import type { Diagnostic } from '../model/diagnostic.ts'

/** A diagnostic as it is found, with what its place can be looked up by. */
export type Found = Diagnostic & {
  /** The import that failed, as it stands in `file`. */
  findImport?: string
  /** A JSON file is broken, and the tool did not say which. */
  findInvalidJson?: boolean
}
