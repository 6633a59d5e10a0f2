import { lookup } from 'node:dns/promises'
import type { BlockList } from 'node:net'
import type { EgressPolicy } from '../model/egress.ts'
import { isInNetworks, isPublicAddress } from './public-address.ts'

export interface DestinationRules {
  policy: EgressPolicy
  /** Host names, or `*.example.org` for every name below one; used by the policy `allowlist`. */
  allowedHosts: readonly string[]
  /** Networks that the operator opens although they are not public. */
  privateNetworks: BlockList
  ports: ReadonlySet<number>
}

/** A destination that may not be reached; the message is one sentence for the author of the app. */
export class RefusedDestination extends Error {}

const RESOLVE_TIMEOUT_MS = 5_000

/**
 * The address to connect to for a name, already checked: whoever connects uses it and does not resolve again, so that
 * a name which changes its answer between the check and the use gains nothing. A name with any address that is not
 * allowed is refused whole. Rejects with RefusedDestination.
 */
export async function chooseAddress(host: string, port: number, rules: DestinationRules): Promise<string> {
  const name = host.toLowerCase().replace(/\.$/, '')
  if (rules.policy === 'none')
    throw new RefusedDestination(`Requests to other hosts are off for this project.`)
  if (!rules.ports.has(port)) throw new RefusedDestination(`Port ${port} may not be reached.`)
  if (rules.policy === 'allowlist' && !isAllowedHost(name, rules.allowedHosts)) {
    throw new RefusedDestination(`${name} is not on the list of hosts that may be reached.`)
  }
  const addresses = await resolve(name)
  const isAllowed = (address: string) =>
    isPublicAddress(address) || isInNetworks(rules.privateNetworks, address)
  if (!addresses.every(isAllowed)) {
    throw new RefusedDestination(`${name} has an address that is not public.`)
  }
  return addresses[0] as string
}

function isAllowedHost(name: string, allowed: readonly string[]): boolean {
  return allowed.some((rule) => {
    const lower = rule.toLowerCase()
    return lower.startsWith('*.') ? name.endsWith(lower.slice(1)) : name === lower
  })
}

/** IPv4 first: it is what most machines can reach. Never empty. */
async function resolve(name: string): Promise<string[]> {
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(
    () => timer.reject(new RefusedDestination(`${name} could not be resolved in time.`)),
    RESOLVE_TIMEOUT_MS,
  )
  try {
    const found = await Promise.race([lookup(name, { all: true, order: 'ipv4first' }), timer.promise])
    if (found.length === 0) throw new RefusedDestination(`${name} has no address.`)
    return found.map(({ address }) => address)
  } catch (error) {
    if (error instanceof RefusedDestination) throw error
    throw new RefusedDestination(`${name} could not be resolved.`)
  } finally {
    clearTimeout(timeout)
  }
}
