import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

const REFUSALS = [400, 401, 403, 404, 502, 503] as const

export type UpgradeRefusal = (typeof REFUSALS)[number]

export function isUpgradeRefusal(status: number | undefined): status is UpgradeRefusal {
  return REFUSALS.some((refusal) => refusal === status)
}

/** Answers an upgrade with a status and nothing else, and closes. */
export function refuseUpgrade(socket: Duplex, status: UpgradeRefusal): void {
  // The client may be gone already; the socket closes either way.
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
