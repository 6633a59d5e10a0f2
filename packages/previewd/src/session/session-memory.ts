const MIB = 1024 * 1024
/** What a session is taken to need, unless those that run are seen to need more. */
const LEAST_BYTES = 192 * MIB
/** For edits, builds and whatever else has begun: below it, sessions give way. */
const KEPT_FREE_BYTES = 256 * MIB
/** Below it, sessions give way although pages show them: else the kernel would choose. */
const LAST_BYTES = 128 * MIB

/** True where there is memory for one more, given what those that run hold and how many are only starting. */
export function fitsAnother(leftBytes: number, heldBytes: readonly number[], starting: number): boolean {
  const total = heldBytes.reduce((sum, bytes) => sum + bytes, 0)
  const needed = Math.max(LEAST_BYTES, heldBytes.length > 0 ? total / heldBytes.length : 0)
  return leftBytes - starting * needed >= needed + KEPT_FREE_BYTES
}

/** Whether sessions have to give way: those that nobody looks at, or any. */
export function shortage(leftBytes: number): 'none' | 'unwatched' | 'any' {
  if (leftBytes >= KEPT_FREE_BYTES) return 'none'
  return leftBytes >= LAST_BYTES ? 'unwatched' : 'any'
}
