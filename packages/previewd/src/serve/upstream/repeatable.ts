import type { ClientRequest, IncomingMessage } from 'node:http'

/** What may be done twice (RFC 9110, 9.2.2): a connection that broke does not tell whether the other end did it. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/** May be sent once more, as nothing of it is used up by the first time. */
export function isRepeatable(req: IncomingMessage): boolean {
  return !hasBody(req) && IDEMPOTENT.has(req.method ?? '')
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** The other end closed a connection that was kept, just as it was used again (RFC 9112, 9.3.1). */
export function isStale(asking: ClientRequest | undefined, error: unknown): boolean {
  return asking?.reusedSocket === true && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
}
