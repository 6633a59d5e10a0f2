const SHA256 = /^[0-9a-f]{64}$/

/** The hash of an object's content, where whoever wrote it noted that in its metadata. */
export function notedHash(metadata: Record<string, string> | undefined): { sha256?: string } {
  const sha256 = metadata?.sha256?.toLowerCase()
  return sha256 !== undefined && SHA256.test(sha256) ? { sha256 } : {}
}
