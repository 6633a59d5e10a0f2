/** Where a problem was seen. */
export type DiagnosticOrigin = 'install' | 'config' | 'build' | 'transform' | 'type' | 'runtime' | 'network'

/** One problem, in words that an author or an agent can act on. Everything in it may be project-written text. */
export interface Diagnostic {
  origin: DiagnosticOrigin
  severity: 'error' | 'warning'
  /** Stable name of the kind of problem, e.g. `PACKAGE_NOT_FOUND`, `MISSING_IMPORT`, `SYNTAX_ERROR`. */
  code?: string
  message: string
  /** Path relative to the project's files. */
  file?: string
  /** 1-based. */
  line?: number
  /** 1-based. */
  column?: number
  /** Source lines around the problem, plain text. */
  frame?: string
  stack?: string
  /** What would mend it, e.g. `add "date-fns" to dependencies`. */
  hint?: string
}

/** A diagnostic as the status shows it. */
export interface ReportedDiagnostic extends Diagnostic {
  count: number
  revision: number
}
