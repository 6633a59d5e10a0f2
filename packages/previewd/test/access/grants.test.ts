import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MAX_GRANT_SECONDS, openGrants } from '../../src/access/grants.ts'

let directory: string
let nowMs: number
const now = () => nowMs

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'previewd-grants-'))
  nowMs = 1_800_000_000_000
})
afterEach(() => rm(directory, { recursive: true }))

describe('a grant', () => {
  it('is good for its project and role', () => {
    const grants = openGrants(directory, now)
    const { token, expiresAt } = grants.issue('demo', 'viewer', 60)
    expect(grants.verify(token, 'demo')).toEqual({ role: 'viewer' })
    expect(expiresAt).toBe(new Date(nowMs + 60_000).toISOString())
  })

  it('is nothing to another project', () => {
    const grants = openGrants(directory, now)
    expect(grants.verify(grants.issue('demo', 'editor', 60).token, 'other')).toBeUndefined()
  })

  it('ends when its time is over', () => {
    const grants = openGrants(directory, now)
    const { token } = grants.issue('demo', 'viewer', 60)
    nowMs += 59_999
    expect(grants.verify(token, 'demo')).toBeDefined()
    nowMs += 1
    expect(grants.verify(token, 'demo')).toBeUndefined()
  })

  it.each([0, -1, 1.5, Number.NaN, MAX_GRANT_SECONDS + 1])('cannot last %s seconds', (seconds) => {
    expect(() => openGrants(directory, now).issue('demo', 'viewer', seconds)).toThrow(RangeError)
  })

  it('is refused with any character changed', () => {
    const grants = openGrants(directory, now)
    const { token } = grants.issue('demo', 'viewer', 60)
    for (let at = 0; at < token.length; at += 1) {
      const forged = token.slice(0, at) + (token[at] === 'x' ? 'y' : 'x') + token.slice(at + 1)
      const verified = grants.verify(forged, 'demo')
      // The last character of a signature has bits that mean nothing.
      if (at < token.length - 1) expect(verified, forged).toBeUndefined()
    }
  })

  it.each(['', '.', 'v1', 'v1..', 'v1.e30.', 'v1.e30.AAAA', 'v2.e30.AAAA', 'v1.a.b.c', 'x'.repeat(100_000)])(
    'is not %s',
    (token) => {
      expect(openGrants(directory, now).verify(token, 'demo')).toBeUndefined()
    },
  )

  it('survives a restart, and so does its revocation', () => {
    const before = openGrants(directory, now)
    const kept = before.issue('kept', 'viewer', 60).token
    const revoked = before.issue('revoked', 'viewer', 60).token
    before.revokeAll('revoked')
    const after = openGrants(directory, now)
    expect(after.verify(kept, 'kept')).toBeDefined()
    expect(after.verify(revoked, 'revoked')).toBeUndefined()
  })

  it('of the millisecond after a revocation is good', () => {
    const grants = openGrants(directory, now)
    const old = grants.issue('demo', 'viewer', 60).token
    grants.revokeAll('demo')
    const fresh = grants.issue('demo', 'viewer', 60).token
    expect(grants.verify(old, 'demo')).toBeUndefined()
    expect(grants.verify(fresh, 'demo')).toBeDefined()
  })

  it('of another server is refused', async () => {
    const other = await mkdtemp(join(tmpdir(), 'previewd-grants-'))
    const { token } = openGrants(other, now).issue('demo', 'viewer', 60)
    expect(openGrants(directory, now).verify(token, 'demo')).toBeUndefined()
    await rm(other, { recursive: true })
  })
})

describe('what is kept of grants', () => {
  it('is a secret that only its owner may read', async () => {
    openGrants(directory, now)
    const { mode, size } = await stat(join(directory, 'grants.key'))
    expect(mode & 0o777).toBe(0o600)
    expect(size).toBe(32)
  })

  it('drops revocations that no grant can outlive', async () => {
    const grants = openGrants(directory, now)
    grants.revokeAll('long-ago')
    nowMs += MAX_GRANT_SECONDS * 1000 + 1
    grants.revokeAll('today')
    const kept = JSON.parse(await readFile(join(directory, 'grants.revoked.json'), 'utf8'))
    expect(Object.keys(kept)).toEqual(['today'])
  })
})
