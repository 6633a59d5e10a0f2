import { BlockList, isIP } from 'node:net'

/**
 * Ranges that are not the public internet, from the IANA special-purpose registries (RFC 6890 and later), and those
 * IPv6 ranges that carry an IPv4 address inside, which could name any of the first.
 */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Only 2000::/3 is handed out; these are the special ranges inside it. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']
/** A cloud's address for its guests that lies in public space: the wire server of Azure. */
const METADATA_IPV4 = ['168.63.129.16/32']

const special = toBlockList([...SPECIAL_IPV4, ...METADATA_IPV4, ...SPECIAL_IPV6])
const globalUnicast = toBlockList(['2000::/3'])

/** Networks in CIDR notation; throws a readable Error for what is none. */
export function toBlockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/')
    const family = isIP(address)
    const bits = Number(prefix)
    if (
      family === 0 ||
      prefix === '' ||
      !Number.isInteger(bits) ||
      bits < 0 ||
      bits > (family === 4 ? 32 : 128)
    ) {
      throw new Error(`"${network}" is not a network like 10.0.0.0/8.`)
    }
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

/** True for an address of the public internet, of either family. Anything else, also what is no address, is not. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  return family === 6 && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

/** True where one of the networks holds the address. */
export function isInNetworks(networks: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && networks.check(address, family === 4 ? 'ipv4' : 'ipv6')
}
