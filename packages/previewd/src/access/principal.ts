import { createHash, timingSafeEqual } from 'node:crypto'
import type { KeyScope, Keys } from '../model/store.ts'

/** Who calls: the operator's key, a stored key, or anyone on loopback where no key is set. */
export interface Principal {
  id: string
  scope: KeyScope
}

export type Authenticate = (authorization: string | undefined) => Principal | undefined

/**
 * Checks the `Authorization` header. Without a configured key everyone who can reach the server is the operator, but
 * a key that was presented counts: a wrong one is refused and a stored one brings its own scope.
 */
export function createAuthenticate(options: {
  apiKey: string | undefined
  keys: Pick<Keys, 'verify'>
}): Authenticate {
  const operatorDigest = options.apiKey === undefined ? undefined : digest(options.apiKey)

  return (authorization) => {
    if (authorization === undefined) {
      return operatorDigest ? undefined : { id: 'loopback', scope: { kind: 'admin' } }
    }
    const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1]
    if (key === undefined) return undefined
    if (operatorDigest && timingSafeEqual(digest(key), operatorDigest)) {
      return { id: 'operator', scope: { kind: 'admin' } }
    }
    const record = options.keys.verify(key)
    return record && { id: record.id, scope: record.scope }
  }
}

/** May the principal read or change this project? `undefined` stands for the server as a whole. */
export function allows(
  { scope }: Principal,
  action: 'read' | 'write' | 'administer',
  project?: string,
): boolean {
  switch (scope.kind) {
    case 'admin':
      return true
    case 'read':
      return action === 'read'
    case 'project':
      return action !== 'administer' && project === scope.project
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
