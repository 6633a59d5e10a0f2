import { Agent, type AgentOptions } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isInNetworks, isPublicAddress, toBlockList } from '../../lib/public-address.ts'
import { resolveHost } from '../../lib/resolve-host.ts'

/** An address of a target that is not connected to; the message is one sentence without its subject. */
export class RefusedAddress extends Error {}

export interface ConnectionRules {
  /** The operator listed this very host, so that it may be in a private network. */
  mayBePrivate: boolean
  /** Ports of this server's own listeners. */
  isOwnPort(port: number): boolean
}

const FREE_SOCKET_MS = 15_000
const MAX_FREE_SOCKETS = 8
const AGENT_OPTIONS: AgentOptions = {
  keepAlive: true,
  maxFreeSockets: MAX_FREE_SOCKETS,
  timeout: FREE_SOCKET_MS,
}

/** Connections to back ends that are used again; never by another project. */
export interface BackendAgents {
  'http:': Agent
  'https:': Agent
}

export function createBackendAgents(): BackendAgents {
  return { 'http:': new ProjectAgent(AGENT_OPTIONS), 'https:': new ProjectTlsAgent(AGENT_OPTIONS) }
}

interface ProjectOptions {
  project?: string
}

class ProjectAgent extends Agent {
  override getName(options?: Parameters<Agent['getName']>[0] & ProjectOptions): string {
    return `${options?.project}|${super.getName(options)}`
  }
}

class ProjectTlsAgent extends TlsAgent {
  override getName(options?: Parameters<TlsAgent['getName']>[0] & ProjectOptions): string {
    return `${options?.project}|${super.getName(options)}`
  }
}

/**
 * Where to connect to for a target. A name is resolved when the connection is made, each of its addresses is looked at,
 * and those addresses are what is connected to: a name that changes its answer in between gains nothing. Throws
 * RefusedAddress; what is found out later is the error of the request.
 */
export function connectionTo(target: URL, rules: ConnectionRules) {
  const hostname = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
  if (isIP(hostname) !== 0) checkAddress(hostname, port, rules)
  const lookup: LookupFunction = (name, options, done) => {
    const found = resolveHost(name.replace(/\.$/, '')).then((addresses) => {
      for (const { address } of addresses) checkAddress(address, port, rules)
      return addresses
    })
    found.then(
      (addresses) => {
        const [first] = addresses
        if (options.all || first === undefined) done(null, addresses)
        else done(null, first.address, first.family)
      },
      (error: Error) => done(error, ''),
    )
  }
  return { protocol: target.protocol, hostname, port, lookup }
}

function checkAddress(address: string, port: number, { mayBePrivate, isOwnPort }: ConnectionRules): void {
  if (isOwnPort(port) && isOwnAddress(address)) throw new RefusedAddress('leads back to this server')
  if (!mayBePrivate && !isPublicAddress(address))
    throw new RefusedAddress('has an address that is not public')
}

function isOwnAddress(address: string): boolean {
  const own = toBlockList(['127.0.0.0/8', '0.0.0.0/32', '::/128', '::1/128'])
  for (const { address: at, family } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    own.addAddress(at, family === 'IPv4' ? 'ipv4' : 'ipv6')
  }
  return isInNetworks(own, address)
}
