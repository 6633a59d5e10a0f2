import { createHmac, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import type { Grants } from '../model/grant.ts'
import { openRevocations } from './revocations.ts'
import { readOrCreateSecret } from './secret.ts'

export const MAX_GRANT_SECONDS = 30 * 24 * 60 * 60
const MAX_TOKEN_LENGTH = 512

const claimsSchema = z.object({
  project: z.string(),
  role: z.enum(['editor', 'viewer']),
  /** Times in ms since 1970. */
  issuedAt: z.number(),
  expiresAt: z.number(),
})

/**
 * Grants as tokens `v1.{claims}.{HMAC-SHA256}`, both base64url: nothing is stored for a grant, only the time up to
 * which a project's grants were revoked. The secret and those times live in `directory`.
 */
export function openGrants(directory: string, now: () => number = Date.now): Grants {
  const secret = readOrCreateSecret(join(directory, 'grants.key'))
  const revocations = openRevocations(join(directory, 'grants.revoked.json'), MAX_GRANT_SECONDS * 1000, now)
  const sign = (signed: string) => createHmac('sha256', secret).update(signed).digest()

  function issue(project: string, role: 'editor' | 'viewer', expiresInSeconds: number) {
    if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > MAX_GRANT_SECONDS) {
      throw new RangeError(`A grant lasts from 1 to ${MAX_GRANT_SECONDS} seconds`)
    }
    // A grant issued in the millisecond of a revocation, or after the clock was set back, is a new one all the same.
    const issuedAt = Math.max(now(), revocations.get(project) + 1)
    const expiresAt = now() + expiresInSeconds * 1000
    const claims = Buffer.from(JSON.stringify({ project, role, issuedAt, expiresAt })).toString('base64url')
    const token = `v1.${claims}.${sign(`v1.${claims}`).toString('base64url')}`
    return { token, expiresAt: new Date(expiresAt).toISOString() }
  }

  function verify(token: string, project: string) {
    const [version, claims, signature, ...rest] = token.slice(0, MAX_TOKEN_LENGTH + 1).split('.')
    if (version !== 'v1' || !claims || !signature || rest.length > 0 || token.length > MAX_TOKEN_LENGTH) {
      return undefined
    }
    const given = Buffer.from(signature, 'base64url')
    const expected = sign(`v1.${claims}`)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    const { project: granted, role, issuedAt, expiresAt } = readClaims(claims)
    if (granted !== project || expiresAt <= now() || issuedAt <= revocations.get(project)) return undefined
    return { role }
  }

  return { issue, verify, revokeAll: (project) => revocations.set(project, now()) }
}

/** Only for claims whose signature was verified: they are this server's own. */
function readClaims(claims: string): z.output<typeof claimsSchema> {
  return claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')))
}
