import { hash } from 'node:crypto'
import PQueue from 'p-queue'
import { ByteRoom, type RoomPart } from '../../lib/byte-room.ts'
import { ContentCache } from '../../lib/content-cache.ts'
import { type Compression, compressWhole } from './compress-whole.ts'

const MIB = 1024 * 1024
const MAX_KEPT_BYTES = 64 * MIB
/** A larger one would take the place of many modules. */
const MAX_ENTRY_BYTES = MIB
/** Of answers that are whole in memory: on their way from dev servers and, compressed, to clients. */
const MAX_UNDER_WAY_BYTES = 32 * MIB
/** Of Node's four threads, which the disk needs as well; an encoder takes some MiB besides. */
const MAX_AT_ONCE = 3

export interface CompressedAnswersOptions {
  maxBytes?: number
  maxUnderWayBytes?: number
  compress?: typeof compressWhole
}

/** What one project may see of it. */
export interface ProjectAnswers {
  /** Room for an answer as a whole, until it is sent; undefined where there is none now. */
  room(bytes: number): RoomPart | undefined
  compressed(body: Buffer, compression: Compression): Promise<Buffer>
}

/**
 * Answers of dev servers, compressed once for all who get the same. They are found by the project and the hash of their
 * own bytes, and by nothing that project code says: an ETag may be of anything, and that of Vite is of the code without
 * its map. So an entry can be out of use, and never wrong: after an edit, under another address, or for a project that
 * got the id of one that was deleted. What was made for one project is not for another, which could otherwise
 * tell from the time of an answer what others have.
 */
export class CompressedAnswers {
  readonly #kept: ContentCache
  readonly #room: ByteRoom
  readonly #compress: typeof compressWhole
  readonly #queue = new PQueue({ concurrency: MAX_AT_ONCE })

  constructor(options: CompressedAnswersOptions = {}) {
    const {
      maxBytes = MAX_KEPT_BYTES,
      maxUnderWayBytes = MAX_UNDER_WAY_BYTES,
      compress = compressWhole,
    } = options
    this.#kept = new ContentCache(maxBytes, Math.min(maxBytes, MAX_ENTRY_BYTES))
    this.#room = new ByteRoom(maxUnderWayBytes)
    this.#compress = compress
  }

  /** What the compressed answers that are kept take. */
  get keptBytes(): number {
    return this.#kept.sizeBytes
  }

  of(project: string): ProjectAnswers {
    return {
      room: (bytes) => this.#room.take(bytes),
      compressed: (body, compression) => {
        const key = `${project} ${compression} ${hash('sha256', body, 'base64')}`
        return this.#kept.get(key, () => this.#queue.add(() => this.#compress(body, compression)))
      },
    }
  }
}
