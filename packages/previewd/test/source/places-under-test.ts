import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import type { SourceRequest } from '../../src/model/source.ts'
import { gitReach, parseGitHost } from '../../src/source/git-place.ts'
import type { SandboxParts } from '../../src/source/sources.ts'
import { openSandbox } from '../worker/sandbox.ts'
import { startGitServer } from './git-server.ts'
import { STORES, type TestStore } from './stores.ts'
import { tempFolder } from './temp-folder.ts'

/** Where files of projects can be, and what a test does to it beside previewd. */
export interface PlaceUnderTest extends AsyncDisposable {
  /** What the operator sets. */
  environment(): Record<string, string>
  sandbox?: SandboxParts
  /** What a client asks for, whose files are to be those below the prefix. */
  sourceAt(prefix: string): SourceRequest
  /** Only a key that administers the server may set it. */
  isTrusted: boolean
  /** Whoever writes may note a hash with the file. */
  keepsHashes: boolean
  put(name: string, content: string, metadata?: Record<string, string>): Promise<void>
  remove(name: string): Promise<void>
  names?: TestStore['names']
  /** Before it is read again. */
  settle?(): Promise<unknown>
}

export const PLACES: Record<string, () => Promise<PlaceUnderTest>> = {
  azurite: () => storePlace(STORES.azurite),
  s3: () => storePlace(STORES.s3),
  'a folder': folderPlace,
  'a git repository': repositoryPlace,
}

async function storePlace(start: () => Promise<TestStore>): Promise<PlaceUnderTest> {
  const store = await start()
  return { ...store, sourceAt: () => store.source, isTrusted: false, keepsHashes: true }
}

async function folderPlace(): Promise<PlaceUnderTest> {
  const folder = await tempFolder()
  return {
    environment: () => ({ PREVIEWD_LOCAL_ROOTS: folder.path }),
    sourceAt: (prefix) => ({ kind: 'local', path: join(folder.path, prefix) }),
    isTrusted: true,
    keepsHashes: false,
    put: folder.write,
    remove: (name) => rm(join(folder.path, name)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function repositoryPlace(): Promise<PlaceUnderTest> {
  const server = await startGitServer()
  const sandbox = await openSandbox()
  const { url } = server
  const reach = { ...gitReach([parseGitHost(url)]), privateNetworks: ['127.0.0.0/8'] }
  const egress = createEgress({ socketDir: join(sandbox.folder, 'run'), maximum: 'allowlist', ...reach })
  return {
    environment: () => ({ PREVIEWD_GIT_HOSTS: url }),
    sandbox: { workers: sandbox.workers, egress, tmpDir: sandbox.folder },
    sourceAt: (prefix) => ({ kind: 'git', url: `${url}/app.git`, path: prefix }),
    isTrusted: false,
    keepsHashes: true,
    async put(name, content) {
      const file = join(server.folder, name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
    },
    remove: (name) => rm(join(server.folder, name)),
    settle: () => server.commit({}),
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
