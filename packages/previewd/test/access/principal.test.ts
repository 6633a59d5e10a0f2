import { describe, expect, it } from 'vitest'
import { allows, createAuthenticate } from '../../src/access/principal.ts'
import type { KeyScope, Keys } from '../../src/model/store.ts'

const record = {
  id: 'k1',
  name: 'one',
  scope: { kind: 'read' } as KeyScope,
  createdAt: '2030-01-01T00:00:00.000Z',
}
/** One stored key. */
const keys: Pick<Keys, 'verify'> = { verify: (key) => (key === 'stored-key' ? record : undefined) }

describe('who calls', () => {
  const withKey = createAuthenticate({ apiKey: 'operator-key', keys })
  const without = createAuthenticate({ apiKey: undefined, keys })

  it('is the operator with the configured key', () => {
    expect(withKey('Bearer operator-key')).toEqual({ id: 'operator', scope: { kind: 'admin' } })
  })

  it('is the owner of a stored key, with its scope', () => {
    expect(withKey('Bearer stored-key')).toEqual({ id: 'k1', scope: { kind: 'read' } })
    expect(without('Bearer stored-key')).toEqual({ id: 'k1', scope: { kind: 'read' } })
  })

  it('is the operator without a key where none is configured', () => {
    expect(without(undefined)).toEqual({ id: 'loopback', scope: { kind: 'admin' } })
  })

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer operator-key ',
    'Bearer operator-key,stored-key',
    'Bearer  operator-key',
    'Basic b3BlcmF0b3Ita2V5',
    'operator-key',
    'Bearer operator-ke',
    'Bearer operator-keyy',
    `Bearer ${'x'.repeat(10_000)}`,
  ])('is nobody with "%s"', (authorization) => {
    expect(withKey(authorization)).toBeUndefined()
    if (authorization !== undefined) expect(without(authorization)).toBeUndefined()
  })
})

describe('what a scope allows', () => {
  const of = (scope: KeyScope) => ({ id: 'x', scope })

  it.each([
    [{ kind: 'admin' }, 'administer', undefined, true],
    [{ kind: 'admin' }, 'write', 'demo', true],
    [{ kind: 'read' }, 'read', 'demo', true],
    [{ kind: 'read' }, 'read', undefined, true],
    [{ kind: 'read' }, 'write', 'demo', false],
    [{ kind: 'read' }, 'administer', undefined, false],
    [{ kind: 'project', project: 'demo' }, 'read', 'demo', true],
    [{ kind: 'project', project: 'demo' }, 'write', 'demo', true],
    [{ kind: 'project', project: 'demo' }, 'write', 'other', false],
    [{ kind: 'project', project: 'demo' }, 'read', undefined, false],
    [{ kind: 'project', project: 'demo' }, 'administer', 'demo', false],
  ] as const)('%j %s %s: %s', (scope, action, project, allowed) => {
    expect(allows(of(scope), action, project)).toBe(allowed)
  })
})
