import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** Answers an upgrade with a status and nothing else, and closes. */
export function refuseUpgrade(socket: Duplex, status: 400 | 403 | 404 | 502 | 503): void {
  // The client may be gone already; the socket closes either way.
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
