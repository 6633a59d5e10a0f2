import type { Source, Sources } from '../../src/model/source.ts'

/** Sources that all are this one: a test says what happens while it is read or written. */
export function only(source: Omit<Source, typeof Symbol.asyncDispose>): Sources {
  const settings = { kind: 'azure-blob', container: 'one', prefix: 'one/', writeThrough: true } as const
  return {
    resolve: () => settings,
    forUnknown: () => undefined,
    followExternalId: false,
    open: async () => ({ ...source, [Symbol.asyncDispose]: async () => undefined }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** One file with that text. */
export function oneFile(text: () => string | Promise<string>): Omit<Source, typeof Symbol.asyncDispose> {
  const size = 1
  return {
    async *list() {
      yield { path: 'index.html', size, version: await text() }
    },
    find: async (path) => ({ path, size, version: await text() }),
    read: async ({ version }) =>
      (async function* () {
        yield Buffer.from(version)
      })(),
  }
}
