import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

/** Where things stand below the data directory. */
export class ProjectPaths {
  readonly dataDir: string

  constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  get projects(): string {
    return join(this.dataDir, 'projects')
  }

  get trash(): string {
    return join(this.dataDir, 'trash')
  }

  directory(project: string): string {
    return join(this.projects, project)
  }

  pack(project: string): string {
    return join(this.directory(project), 'files.pack')
  }

  /** What a copy is written to before it takes the pack's place. */
  packCopy(project: string): string {
    return join(this.directory(project), 'files.pack.new')
  }

  /** The files laid out for shell tools, see mirror.ts. */
  mirror(project: string): { folder: string; list: string } {
    return {
      folder: join(this.directory(project), 'frontend'),
      list: join(this.directory(project), '.file-hashes.json'),
    }
  }

  freshTrash(project: string): string {
    return join(this.trash, `${project}.${randomBytes(6).toString('hex')}`)
  }
}
