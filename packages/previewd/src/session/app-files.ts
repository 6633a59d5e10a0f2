import { posix } from 'node:path'
import { type BuiltServer, CODE, DESCRIPTION, SOURCES, serverId } from '../model/app-server.ts'
import type { Artifact, Artifacts } from '../model/artifact.ts'
import type { FileEntry, Snapshot } from '../model/files.ts'

const CHUNK_BYTES = 1024 * 1024

/** The files with which the server of a build runs. */
export interface AppFiles {
  built: BuiltServer
  /** The project's own files, by which its environment is found. */
  sources: Snapshot
  /** All that goes into the sandbox. */
  all: Snapshot
}

interface Place {
  artifact: Artifact
  entry: FileEntry
}

/** Rejects with BUILD_NOT_FOUND where the build has no server, or has been removed. */
export async function openAppFiles(
  artifacts: Pick<Artifacts, 'open'>,
  project: string,
  { id, revision }: { id: string; revision: number },
): Promise<AppFiles> {
  const server = await artifacts.open(project, serverId(id))
  const site = await artifacts.open(project, id)
  const built = JSON.parse((await server.read(DESCRIPTION)).toString('utf8')) as BuiltServer
  const sources = new Map<string, Place>()
  const code = new Map<string, Place>()
  for (const entry of server.files.values()) {
    const place = { artifact: server, entry }
    if (entry.path.startsWith(SOURCES)) sources.set(entry.path.slice(SOURCES.length), place)
    else if (entry.path.startsWith(CODE)) code.set(entry.path.slice(CODE.length), place)
  }
  for (const entry of site.files.values()) {
    code.set(posix.join(built.root, built.site, entry.path), { artifact: site, entry })
  }
  const snapshot = (places: Map<string, Place>) => new PlacedFiles(project, revision, places)
  return { built, sources: snapshot(sources), all: snapshot(new Map([...sources, ...code])) }
}

/** Files out of artifacts, by the paths at which a project would have them. */
class PlacedFiles implements Snapshot {
  readonly project: string
  readonly revision: number
  readonly files: ReadonlyMap<string, FileEntry>
  readonly #places: ReadonlyMap<string, Place>

  constructor(project: string, revision: number, places: ReadonlyMap<string, Place>) {
    this.project = project
    this.revision = revision
    this.#places = places
    const sorted = [...places].sort(([a], [b]) => (a < b ? -1 : 1))
    this.files = new Map(sorted.map(([path, { entry }]) => [path, { ...entry, path }]))
  }

  async read(path: string): Promise<Buffer> {
    const { artifact, entry } = this.#place(path)
    return await artifact.read(entry.path)
  }

  async *stream(path: string): AsyncGenerator<Buffer> {
    const { artifact, entry } = this.#place(path)
    for (let start = 0; start < entry.size; start += CHUNK_BYTES) {
      yield await artifact.read(entry.path, 'identity', {
        start,
        end: Math.min(start + CHUNK_BYTES, entry.size),
      })
    }
  }

  /** Artifacts are open for as long as somebody reads them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  #place(path: string): Place {
    const place = this.#places.get(path)
    if (!place) throw new Error(`the build has no file ${path}`)
    return place
  }
}
