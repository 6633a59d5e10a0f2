import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/** Pages that ask for more than that have other troubles. */
const MAX_PATHS = 1000

/**
 * What pages asked for and a dev server did not have. Vite knows no module there, so it has nothing to say to them when
 * the file comes.
 */
export class MissingPaths {
  readonly #paths = new Set<string>()

  /** Before the server's own middlewares, which end what they answer. */
  watch(middlewares: { use(handle: Middleware): unknown }): void {
    middlewares.use((request, response, next) => {
      const url = request.url ?? ''
      response.on('finish', () => {
        if (response.statusCode === 404) this.#note(url)
      })
      next()
    })
  }

  /** Whether a page asked for this file; asked once, it is there. */
  take(file: string, root: string): boolean {
    return [...this.#paths].some((path) => join(root, path) === file && this.#paths.delete(path))
  }

  #note(url: string): void {
    try {
      this.#paths.add(decodeURI(new URL(url, 'http://localhost').pathname))
    } catch {
      // No address of a file.
    }
    const [oldest] = this.#paths
    if (this.#paths.size > MAX_PATHS && oldest !== undefined) this.#paths.delete(oldest)
  }
}
