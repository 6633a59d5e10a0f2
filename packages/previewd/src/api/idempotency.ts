import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { PreviewdError } from '../errors.ts'

const KEPT_MS = 24 * 60 * 60 * 1000
const KEPT_BYTES = 32 * 1024 * 1024
const KEPT_KEYS = 10_000
/** About what a key costs besides its outcome. */
const SLOT_BYTES = 512

interface Kept {
  project: string | undefined
  fingerprint: string
  /** What the first call did; later ones wait for it. */
  outcome: Promise<unknown>
}

/**
 * Repeats of a POST with the same `Idempotency-Key` get what the first call did instead of doing it again. What is
 * kept is the change itself (a revision, a build): a repeat may wait for it anew and sees the status of now. Failures
 * are not kept, so that a call that was refused can be tried again.
 */
export class Idempotency {
  readonly #kept = new LRUCache<string, Kept>({
    max: KEPT_KEYS,
    maxSize: KEPT_BYTES,
    maxEntrySize: KEPT_BYTES,
    ttl: KEPT_MS,
  })

  /** `asked` gives what the call asks for, as JSON; the same key for something else is a conflict. */
  async run<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    asked: () => unknown,
    act: () => Promise<T>,
  ): Promise<T> {
    const key = readKey(request)
    if (key === undefined) return act()
    const slot = JSON.stringify([request.principal?.id, request.method, request.url.split('?')[0], key])
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(asked() ?? null))
      .digest('base64')
    const known = this.#kept.get(slot)
    if (known) {
      if (known.fingerprint !== fingerprint) throw conflict(key)
      const outcome = await known.outcome
      reply.header('idempotency-replayed', 'true')
      return outcome as T
    }
    const { id: project } = request.params as { id?: string }
    const outcome = act()
    this.#kept.set(slot, { project, fingerprint, outcome }, { size: SLOT_BYTES })
    try {
      const done = await outcome
      const size = SLOT_BYTES + JSON.stringify(done ?? null).length
      this.#kept.set(slot, { project, fingerprint, outcome }, { size })
      return done
    } catch (error) {
      this.#kept.delete(slot)
      throw error
    }
  }

  /** A project of the same id that is made later starts without what was kept of the one before. */
  forget(project: string): void {
    for (const [slot, { project: owner }] of this.#kept.entries())
      if (owner === project) this.#kept.delete(slot)
  }
}

function readKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new PreviewdError('BAD_REQUEST', 'Idempotency-Key: 1 to 255 visible ASCII characters.')
}

function conflict(key: string): PreviewdError {
  return new PreviewdError('IDEMPOTENCY_CONFLICT', `The key ${key} was used with another body or query.`)
}
