import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'

const RESOLVE_TIMEOUT_MS = 5_000

/** A name without an address, or one whose server does not answer; the message is one sentence with the name. */
export class UnresolvedHost extends Error {}

/** Every address of a name, IPv4 first: it is what most machines can reach. Never empty. Rejects with UnresolvedHost. */
export async function resolveHost(name: string): Promise<LookupAddress[]> {
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(
    () => timer.reject(new UnresolvedHost(`${name} could not be resolved in time.`)),
    RESOLVE_TIMEOUT_MS,
  )
  try {
    const found = await Promise.race([lookup(name, { all: true, order: 'ipv4first' }), timer.promise])
    if (found.length === 0) throw new UnresolvedHost(`${name} has no address.`)
    return found
  } catch (error) {
    if (error instanceof UnresolvedHost) throw error
    throw new UnresolvedHost(`${name} could not be resolved.`)
  } finally {
    clearTimeout(timeout)
  }
}
