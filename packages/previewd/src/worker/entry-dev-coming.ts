import type { IncomingMessage, ServerResponse } from 'node:http'

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/** Says that pages are about to import these addresses. */
export const COMING_EVENT = 'previewd:coming'
const NOT_COMPILED = 500

/** Of an update, as Vite sends it to pages. */
export interface Update {
  type: string
  path: string
  acceptedPath: string
  timestamp?: number
  explicitImportRequired?: boolean
}

/**
 * Modules that pages ask for while they are compiled, so that they are there when the update comes that imports them.
 * What does not compile is refused without a word: Vite would tell of it, and pages hear that from the batch.
 */
export class ComingModules {
  #compiled: ReadonlyMap<string, Promise<boolean>> = new Map()

  /** Before the server's own middlewares, which would compile them for each who asks. */
  watch(middlewares: { use(handle: Middleware): unknown }): void {
    middlewares.use((request, response, next) => {
      const compiled = this.#compiled.get(request.url ?? '')
      if (!compiled) return next()
      void compiled.then((isThere) => {
        if (isThere) return next()
        response.statusCode = NOT_COMPILED
        response.end()
      })
    })
  }

  /** In place of those before; each address with whether it came to be compiled. */
  replace(compiled: ReadonlyMap<string, Promise<boolean>>): void {
    this.#compiled = compiled
  }
}

/** What Vite's client asks for when it gets the update; undefined where it loads a stylesheet anew. */
export function importedBy(
  { type, acceptedPath, timestamp, explicitImportRequired }: Update,
  base: string,
): string | undefined {
  if (type !== 'js-update' || timestamp === undefined) return undefined
  const [path = '', query] = acceptedPath.split('?')
  const more = query === undefined || query === '' ? '' : `&${query}`
  return `${base}${path.slice(1)}?${explicitImportRequired ? 'import&' : ''}t=${timestamp}${more}`
}
