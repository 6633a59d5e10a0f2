import type { CallOptions } from './options.ts'
import type { Manifest } from './protocol.ts'
import type { Transport } from './transport.ts'

/** The files of a project's current revision, to read; `project.applyChanges` writes. */
export class ProjectFiles {
  readonly #transport: Transport
  readonly #project: string

  constructor(transport: Transport, project: string) {
    this.#transport = transport
    this.#project = project
  }

  /** Path, size and SHA-256 of each, and the revision. */
  async list(options: CallOptions = {}): Promise<Manifest> {
    return (await this.#transport.json<Manifest>(`v1/projects/${this.#project}/files`, options)).body
  }

  /** Throws FILE_NOT_FOUND. */
  read(path: string, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#transport.bytes(this.#path(path), options)
  }

  async readText(path: string, options: CallOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.read(path, options))
  }

  #path(path: string): string {
    return `v1/projects/${this.#project}/files/${path.split('/').map(encodeURIComponent).join('/')}`
  }
}
