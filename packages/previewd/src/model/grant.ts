export type GrantRole = 'editor' | 'viewer'

/** Signed, expiring tokens that let a browser see a private preview or a live session. */
export interface Grants {
  /** `expiresInSeconds` from 1 to 30 days. */
  issue(project: string, role: GrantRole, expiresInSeconds: number): { token: string; expiresAt: string }
  /** Undefined for a token that is forged, expired, revoked or of another project. Constant-time. */
  verify(token: string, project: string): { role: GrantRole } | undefined
  /** Ends every grant of a project issued so far. */
  revokeAll(project: string): void
}
