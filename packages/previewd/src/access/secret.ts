import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const SECRET_BYTES = 32

/**
 * The server's signing secret: 32 random bytes in a file that only its owner may read, made at the first start. Two
 * servers that start at once end with the same secret: the first link wins.
 */
export function readOrCreateSecret(file: string): Buffer {
  const known = readSecret(file)
  if (known) return known
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(temporary, randomBytes(SECRET_BYTES), { mode: 0o600, flag: 'wx', flush: true })
    linkSync(temporary, file)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  } finally {
    rmSync(temporary, { force: true })
  }
  const secret = readSecret(file)
  if (!secret) throw new Error(`The secret ${file} disappeared while it was made`)
  return secret
}

function readSecret(file: string): Buffer | undefined {
  try {
    const secret = readFileSync(file)
    if (secret.length !== SECRET_BYTES) throw new Error(`${file} is damaged: remove it to make a new secret`)
    return secret
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
