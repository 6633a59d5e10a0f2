import { describe, expect, it } from 'vitest'
import { isPublicAddress, toBlockList } from '../../src/lib/public-address.ts'

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
  ])('takes %s for public', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::a00:1',
    'fd00:ec2::254',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'localhost',
    '127.1',
    '0x7f000001',
    '',
  ])('takes %s for not public', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('toBlockList', () => {
  it.each(['10.0.0.0', '10.0.0.0/33', 'example.org/8', '::1/129', ''])('refuses %j', (network) => {
    expect(() => toBlockList([network])).toThrow(/is not a network/)
  })
})
