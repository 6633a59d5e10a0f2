import { PreviewdError } from './errors.ts'
import type { CallOptions } from './options.ts'
import { allPages } from './pages.ts'
import { Project } from './project.ts'
import type { Project as ProjectInfo, ProjectSettings } from './protocol.ts'
import type { Transport } from './transport.ts'

/** The projects of a server that the key may see. */
export class Projects {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** A project by its id, without a call: `applyChanges` makes it where it does not exist. Throws INVALID_OPTIONS. */
  at(id: string): Project {
    if (!/^[a-z0-9-]+$/.test(id)) {
      throw new PreviewdError('INVALID_OPTIONS', 'A project id is a DNS label: a-z, 0-9 and -.')
    }
    return new Project(this.#transport, id)
  }

  /** Creates a project, or changes the settings of the one that has the id. */
  async create(
    { id, ...settings }: ProjectSettings & { id: string },
    options: CallOptions = {},
  ): Promise<Project> {
    const project = this.at(id)
    await project.update(settings, options)
    return project
  }

  /** Throws PROJECT_NOT_FOUND. */
  async get(id: string, options: CallOptions = {}): Promise<Project> {
    const project = this.at(id)
    await project.info(options)
    return project
  }

  /** Settings and state of each, newest activity first; reads on as they are taken. */
  list(options: CallOptions = {}): AsyncGenerator<ProjectInfo, void, undefined> {
    return allPages<ProjectInfo>(this.#transport, 'v1/projects', options)
  }

  /** Throws PROJECT_NOT_FOUND. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.at(id).delete(options)
  }
}
