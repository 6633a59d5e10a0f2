import { createHash } from 'node:crypto'
import type { FileEntry, Snapshot } from '../../src/model/files.ts'

/** A revision held in memory, for code that only reads one. */
export function memorySnapshot(files: Record<string, string>): Snapshot {
  const contents = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]))
  const entries = [...contents.keys()].sort().map((path): [string, FileEntry] => {
    const content = contents.get(path) ?? Buffer.alloc(0)
    return [path, { path, size: content.length, sha256: createHash('sha256').update(content).digest('hex') }]
  })
  const read = async (path: string) => contents.get(path) ?? Buffer.alloc(0)
  return {
    project: 'demo',
    revision: 1,
    files: new Map(entries),
    read,
    async *stream(path) {
      yield await read(path)
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
