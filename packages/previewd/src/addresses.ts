import type { Config } from './config.ts'
import type { PreviewUrls } from './model/status.ts'

/** The addresses that the server gives out; what depends on its port is known once it listens. */
export class Addresses {
  readonly #config: Pick<Config, 'previewDomain' | 'publicUrl' | 'port'>
  #url: URL
  #pathPort: number | undefined

  constructor(config: Pick<Config, 'previewDomain' | 'publicUrl' | 'port'>) {
    this.#config = config
    this.#url = new URL(config.publicUrl ?? `http://127.0.0.1:${config.port}`)
  }

  listeningAt(url: string): void {
    if (this.#config.publicUrl === undefined) this.#url = new URL(url)
  }

  /** Previews by path have a listener of their own. */
  pathsListeningAt(port: number): void {
    this.#pathPort = port
  }

  /** Host and port below which each project has a name, e.g. `localhost:4400`. */
  get previewDomain(): string {
    if (this.#config.previewDomain !== undefined) return this.#config.previewDomain
    return this.#url.port === '' ? 'localhost' : `localhost:${this.#url.port}`
  }

  of(project: string, envSets: readonly string[] = []): PreviewUrls {
    const path = new URL(`/preview/${project}/`, this.#url)
    if (this.#pathPort !== undefined) path.port = String(this.#pathPort)
    const originOf = (label: string) => `${this.#url.protocol}//${label}.${this.previewDomain}/`
    const sets = envSets.map((name) => [name, originOf(`${name}--${project}`)])
    return {
      preview: originOf(project),
      path: path.href,
      ...(sets.length > 0 && { envSets: Object.fromEntries(sets) }),
    }
  }
}
