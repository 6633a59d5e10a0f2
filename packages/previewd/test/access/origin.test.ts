import { describe, expect, it } from 'vitest'
import { createOriginPolicy } from '../../src/access/origin.ts'

const policy = createOriginPolicy({
  host: '10.1.2.3',
  publicUrl: 'https://build.example.org',
  allowedHosts: ['Internal.Name', 'other.name:8080'],
  allowedOrigins: ['https://app.example.org'],
})

describe('the hosts of the API', () => {
  it.each([
    'localhost',
    'localhost:4400',
    'LOCALHOST:4400',
    '127.0.0.1:4400',
    '[::1]:4400',
    '10.1.2.3:4400',
    'build.example.org',
    'internal.name',
    'internal.name:9999',
    'other.name:8080',
  ])('are %s', (host) => {
    expect(policy.allowsHost(host)).toBe(true)
  })

  it.each([
    undefined,
    '',
    'evil.example',
    'demo.localhost:4400',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost:4400.evil.example',
    'localhost:4400@evil.example',
    'other.name:8081',
    'xlocalhost',
    '0.0.0.0:4400',
    '2130706433',
  ])('are not %s', (host) => {
    expect(policy.allowsHost(host)).toBe(false)
  })

  it('are not the address of all interfaces', () => {
    const open = createOriginPolicy({
      host: '0.0.0.0',
      publicUrl: undefined,
      allowedHosts: [],
      allowedOrigins: [],
    })
    expect(open.allowsHost('0.0.0.0:4400')).toBe(false)
  })
})

describe('the browser origins of the API', () => {
  it.each([
    ['http://127.0.0.1:4400', '127.0.0.1:4400'],
    ['https://build.example.org', 'build.example.org'],
    ['https://app.example.org', '127.0.0.1:4400'],
  ])('are %s at %s', (origin, host) => {
    expect(policy.allowsOrigin(origin, host)).toBe(true)
  })

  it.each([
    ['http://demo.localhost:4400', '127.0.0.1:4400'],
    ['http://demo.localhost:4400', 'localhost:4400'],
    ['http://127.0.0.1:5173', '127.0.0.1:4400'],
    ['http://localhost:4400', '127.0.0.1:4400'],
    ['null', '127.0.0.1:4400'],
    ['', '127.0.0.1:4400'],
    ['http://app.example.org', '127.0.0.1:4400'],
    ['https://app.example.org.evil.example', '127.0.0.1:4400'],
  ])('are not %s at %s', (origin, host) => {
    expect(policy.allowsOrigin(origin, host)).toBe(false)
  })
})
