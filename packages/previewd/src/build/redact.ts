import type { Diagnostic } from '../model/diagnostic.ts'

/** Shorter values (`1`, `true`, `production`) are words that a log needs. */
const MIN_SECRET_LENGTH = 8

/** Makes a function that takes the values of a project's settings out of text. */
export function redactor(env: Record<string, string>): (text: string) => string {
  const secrets = Object.values(env)
    .filter((value) => value.length >= MIN_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((kept, secret) => kept.replaceAll(secret, '[redacted]'), text)
}

/** The same for the texts of a diagnostic: the errors of tools quote what they were given. */
export function redactDiagnostic<T extends Diagnostic>(diagnostic: T, redact: (text: string) => string): T {
  const { message, frame, stack, hint } = diagnostic
  return {
    ...diagnostic,
    message: redact(message),
    ...(frame !== undefined && { frame: redact(frame) }),
    ...(stack !== undefined && { stack: redact(stack) }),
    ...(hint !== undefined && { hint: redact(hint) }),
  }
}
