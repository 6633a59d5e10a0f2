import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import PQueue from 'p-queue'
import { PreviewdError } from '../../errors.ts'
import { KeyedQueue } from '../../lib/keyed-queue.ts'
import type { Environment } from '../../model/environment.ts'
import { collectBundle, type KeptBundle, openBundle } from './bundle.ts'
import type { Leaving } from './leaving.ts'
import { recordPage } from './record-page.ts'
import { Recording } from './recording.ts'

const MAX_WAITING = 16
/** What is kept goes through memory, and all sessions end at once when the server does. */
const SIDE_BY_SIDE = 2

/**
 * What outlives the sleep of a session and shortens its next start: the bundle that its dev server made of the
 * dependencies, and the answers from which its last page can be shown. Both were written by the project's code, stand
 * in the project's folder and serve that project alone. Either may be missing at any time.
 */
export class KeptFiles {
  readonly #dataDir: string
  /** Who reads comes after who still writes. */
  readonly #queue = new KeyedQueue(
    MAX_WAITING,
    () => new PreviewdError('OVERLOADED', 'Too many sessions end.'),
  )

  readonly #keeping = new PQueue({ concurrency: SIDE_BY_SIDE })

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  async keep(project: string, leaving: Leaving): Promise<void> {
    await this.#queue.run(project, () => this.#keeping.add(() => this.#keep(project, leaving)))
  }

  /** The last page, as it was recorded; it has to be closed. */
  async page(project: string): Promise<Recording | undefined> {
    return await this.#queue.run(project, () => Recording.open(this.#page(project)))
  }

  /** The bundle, to be put into a worker with the same environment. `folder` is relative to /app. */
  async bundle(project: string, environment: Environment, folder: string): Promise<KeptBundle | undefined> {
    return await this.#queue.run(project, () => openBundle(this.#bundle(project), environment.key, folder))
  }

  /** Notes for the time after a restart whether a session was asked for, or stopped. */
  async setWanted(project: string, isWanted: boolean): Promise<void> {
    await this.#queue.run(project, async () => {
      if (!isWanted) return await rm(this.#wanted(project), { force: true })
      await this.#makeFolder(project)
      await writeFile(this.#wanted(project), '')
    })
  }

  async isWanted(project: string): Promise<boolean> {
    return await access(this.#wanted(project)).then(
      () => true,
      () => false,
    )
  }

  async #keep(project: string, leaving: Leaving): Promise<void> {
    await this.#makeFolder(project)
    const bundle = await leaving.server.freshen()
    if (leaving.environment) await collectBundle(this.#bundle(project), leaving, leaving.environment.key)
    await recordPage(this.#page(project), leaving, bundle)
  }

  /** Not with its parents: a project that is deleted meanwhile stays deleted. */
  async #makeFolder(project: string): Promise<void> {
    await mkdir(this.#folder(project)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }

  #folder(project: string): string {
    return join(this.#dataDir, 'projects', project, 'session')
  }

  #wanted(project: string): string {
    return join(this.#folder(project), 'wanted')
  }

  #bundle(project: string): string {
    return join(this.#folder(project), 'bundle.pack')
  }

  #page(project: string): string {
    return join(this.#folder(project), 'page.pack')
  }
}
