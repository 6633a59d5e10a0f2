import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { CHANNEL_FD, LISTENING_FD } from './protocol.ts'

const OWN: ReadonlySet<number> = new Set([0, 1, 2, CHANNEL_FD, LISTENING_FD])
/** Linux, x64 and arm64. */
const O_CLOEXEC = 0o2000000

/**
 * Closes what the server inherited from whoever started it and passed on without knowing: logs, locks, sockets. Node
 * opens its own descriptors with close-on-exec, so the others are foreign.
 */
export function closeForeignDescriptors(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    if (!OWN.has(fd) && isInherited(fd)) closeSync(fd)
  }
}

function isInherited(fd: number): boolean {
  let text: string
  try {
    text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  } catch {
    // It was that of the listing itself.
    return false
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1]
  return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0
}
