import type { BlockList } from 'node:net'
import { isInNetworks, isPublicAddress } from '../lib/public-address.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import type { EgressPolicy } from '../model/egress.ts'

export interface DestinationRules {
  policy: EgressPolicy
  /** Host names, or `*.example.org` for every name below one; used by the policy `allowlist`. */
  allowedHosts: readonly string[]
  /** Networks that the operator opens although they are not public. */
  privateNetworks: BlockList
  ports: ReadonlySet<number>
  resolve: (name: string) => Promise<readonly string[]>
}

/** A destination that may not be reached; the message is one sentence for the author of the app. */
export class RefusedDestination extends Error {}

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
  const addresses = await resolved(name, rules)
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

export async function addressesOf(name: string): Promise<string[]> {
  return (await resolveHost(name)).map(({ address }) => address)
}

async function resolved(name: string, { resolve }: DestinationRules): Promise<readonly string[]> {
  try {
    return await resolve(name)
  } catch (error) {
    throw new RefusedDestination((error as Error).message)
  }
}
