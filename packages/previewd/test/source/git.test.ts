import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readdir, symlink } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createEgress } from '../../src/egress/egress-proxy.ts'
import type { Source, SourceRequest } from '../../src/model/source.ts'
import type { Workers } from '../../src/model/worker.ts'
import { GitKind, type GitKindOptions } from '../../src/source/git-kind.ts'
import { parseGitHost, parseGitToken } from '../../src/source/git-place.ts'
import { MIB, openSandbox, type TestSandbox } from '../worker/sandbox.ts'
import { type GitServer, startGitServer } from './git-server.ts'
import { tempFolder } from './temp-folder.ts'

const { signal } = new AbortController()
const OWNER = { id: 'p', isTrusted: true }
const CANARY = 'ghp_canary0123456789abcdef'

let sandbox: TestSandbox
let server: GitServer
let workers: Workers

beforeAll(async () => {
  sandbox = await openSandbox()
  workers = sandbox.workers
  server = await startGitServer()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await sandbox[Symbol.asyncDispose]()
})
beforeEach(() => {
  server.intercept = () => false
  server.seen.length = 0
})

interface KindOptions extends Partial<Pick<GitKindOptions, 'tokens' | 'authorities'>> {
  hosts?: string[]
  privateNetworks?: string[]
  limits?: Partial<GitKindOptions['limits']>
}

function gitKind({
  hosts = [server.url],
  privateNetworks = ['127.0.0.0/8'],
  limits,
  tokens = [],
  authorities,
}: KindOptions = {}) {
  const parsed = hosts.map(parseGitHost)
  return new GitKind({
    hosts: parsed,
    tokens,
    authorities,
    workers,
    egress: createEgress({
      socketDir: join(sandbox.folder, 'run'),
      maximum: 'allowlist',
      allowedHosts: parsed.map(({ name }) => name),
      privateNetworks,
      ports: parsed.map(({ port }) => port),
    }),
    tmpDir: sandbox.folder,
    limits: {
      memoryBytes: 512 * MIB,
      timeoutMs: 60_000,
      silentMs: 10_000,
      files: 1000,
      bytes: 64 * MIB,
      ...limits,
    },
  })
}

type GitRequest = Extract<SourceRequest, { kind: 'git' }>

function open(asked: Partial<GitRequest> = {}, options: KindOptions = {}): Promise<Source> {
  const kind = gitKind(options)
  return kind.open(kind.resolve({ kind: 'git', url: `${server.url}/app.git`, ...asked }, OWNER))
}

async function read(source: Source): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for await (const file of source.list(signal)) {
    const content = await source.read(file, signal)
    files[file.path] = Buffer.concat(await Array.fromAsync(content ?? [])).toString()
  }
  return files
}

/** What a fetch is refused with. */
async function failure(asked: Partial<GitRequest> = {}, options: KindOptions = {}) {
  await using source = await open(asked, options)
  return await Array.fromAsync(source.list(signal)).then(
    () => undefined,
    (error: unknown) => error as Error & { code: string },
  )
}

test('the files of the newest commit are listed with their hashes and read, byte for byte', async () => {
  await server.commit({
    'a.txt': 'one\ntwo\n',
    'src/ünï 文字.js': 'x',
    '.gitattributes': '*.txt text eol=crlf ident\n',
    empty: '',
    '.gitignore': 'kept.log\n',
    'kept.log': 'in the repository all the same',
  })
  await using source = await open()
  expect(await read(source)).toMatchObject({
    'a.txt': 'one\ntwo\n',
    'src/ünï 文字.js': 'x',
    empty: '',
    'kept.log': 'in the repository all the same',
  })
  expect(await source.find('empty', signal)).toMatchObject({
    size: 0,
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  })
  expect(await source.find('absent', signal)).toBeUndefined()
  expect(await source.find('.git', signal)).toBeUndefined()
  expect(server.seen.every(({ authorization }) => authorization === undefined)).toBe(true)
})

test('a branch, a tag, a commit and a folder of the repository are found', async () => {
  const first = await server.commit({ 'web/index.html': 'first', 'other.txt': '' })
  server.git('tag', '-a', '-m', 'tag', 'v1')
  server.publish('v1')
  await server.commit({ 'web/index.html': 'second' })
  await server.commit({ 'web/index.html': 'third' }, 'feature/x')
  const page = async (asked: Partial<GitRequest>) => {
    await using source = await open({ path: 'web', ...asked })
    return await read(source)
  }
  expect(await page({})).toEqual({ 'index.html': 'second' })
  expect(await page({ ref: 'v1' })).toEqual({ 'index.html': 'first' })
  expect(await page({ ref: first })).toEqual({ 'index.html': 'first' })
  expect(await page({ ref: 'feature/x', path: 'web/' })).toEqual({ 'index.html': 'third' })
})

test('links and submodules are left out, and nothing that they lead to is read', async () => {
  await server.commit({ 'a.txt': 'a' })
  await symlink('/etc/passwd', join(server.folder, 'link.txt'))
  const commit = server.git('rev-parse', 'HEAD')
  server.git('update-index', '--add', '--cacheinfo', `160000,${commit},module`)
  server.git('add', 'link.txt')
  server.git('commit', '-q', '-m', 'links')
  server.publish('main')
  await using source = await open()
  const files = await read(source)
  expect(files).toMatchObject({ 'a.txt': 'a' })
  expect(Object.keys(files)).not.toContain('link.txt')
  expect(Object.keys(files)).not.toContain('module')
  server.git('reset', '-q', '--hard', commit)
})

test('a source is the repository at one time, and leaves nothing behind', async () => {
  await server.commit({ 'a.txt': 'before' })
  const before = await readdir(sandbox.folder)
  {
    await using source = await open()
    expect(await read(source)).toMatchObject({ 'a.txt': 'before' })
    await server.commit({ 'a.txt': 'after' })
    expect(await read(source)).toMatchObject({ 'a.txt': 'before' })
  }
  expect(await readdir(sandbox.folder)).toEqual(before)
  await using source = await open()
  expect(await read(source)).toMatchObject({ 'a.txt': 'after' })
})

test('only https addresses on hosts of the operator are taken, and no option in their place', async () => {
  const kind = gitKind({ hosts: ['git.example.org', '*.example.com', 'git.example.net:8443'] })
  const resolve = (asked: Omit<GitRequest, 'kind'>) => kind.resolve({ kind: 'git', ...asked }, OWNER)
  for (const url of [
    'http://git.example.org/a.git',
    'https://evil.example/a.git',
    'https://git.example.org:8443/a.git',
    'https://example.com/a.git',
    'https://git.example.org.evil.example/a.git',
    'https://me:secret@git.example.org/a.git',
    'https://git.example.org/a.git?x=1',
    'file:///etc',
    'ext::sh -c touch% /tmp/x',
    'ssh://git@git.example.org/a.git',
    'git@git.example.org:a.git',
    '-u',
    '--upload-pack=/bin/sh',
    '/etc',
    '',
  ]) {
    expect(() => resolve({ url }), url).toThrowError(expect.objectContaining({ code: 'SETTINGS_INVALID' }))
  }
  expect(resolve({ url: 'https://GIT.example.org/a/../b.git' })).toEqual({
    kind: 'git',
    url: 'https://git.example.org/b.git',
    isTrusted: true,
  })
  expect(resolve({ url: 'https://a.b.example.com/x', ref: 'v1.0', path: 'apps/web/' })).toMatchObject({
    ref: 'v1.0',
    path: 'apps/web',
  })
  expect(resolve({ url: 'https://git.example.net:8443/x', path: '' })).not.toHaveProperty('path')
  const url = 'https://git.example.org/a.git'
  for (const ref of [
    '-u',
    '--help',
    'a..b',
    'a b',
    'a:b',
    '+a',
    '^a',
    'a^',
    'a~1',
    '@{1}',
    '@',
    'a.lock',
    '/a',
    '',
  ]) {
    expect(() => resolve({ url, ref }), ref).toThrowError(
      expect.objectContaining({ code: 'SETTINGS_INVALID' }),
    )
  }
  for (const path of ['..', 'a/../b', '/etc', 'a\\b', '.git']) {
    expect(() => resolve({ url, path }), path).toThrowError(
      expect.objectContaining({ code: 'SETTINGS_INVALID' }),
    )
  }
  expect(() => gitKind({ hosts: [] }).resolve({ kind: 'git', url }, OWNER)).toThrowError(
    expect.objectContaining({ code: 'SOURCE_NOT_SUPPORTED' }),
  )
})

test('an address that is not public is refused, by number and by name, though the host is allowed', async () => {
  const { port } = server
  const closed = { privateNetworks: [] }
  expect(await failure({}, closed)).toMatchObject({ code: 'SOURCE_DENIED' })
  const named = await failure(
    { url: `http://localhost:${port}/app.git` },
    { ...closed, hosts: [`http://localhost:${port}`] },
  )
  expect(named).toMatchObject({ code: 'SOURCE_DENIED', message: expect.stringContaining('not public') })
  const metadata = await failure(
    { url: 'http://169.254.169.254/app.git' },
    { hosts: ['http://169.254.169.254'], privateNetworks: ['127.0.0.0/8'] },
  )
  expect(metadata).toMatchObject({ code: 'SOURCE_DENIED' })
  expect(server.seen).toEqual([])
})

test('over TLS, a host is taken whose certificate the operator trusts, and no other', async () => {
  await using folder = await tempFolder()
  const [key, cert] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject],
    {
      stdio: 'pipe',
    },
  )
  await using secure = await startGitServer({
    key: readFileSync(key, 'utf8'),
    cert: readFileSync(cert, 'utf8'),
  })
  await secure.commit({ 'a.txt': 'over TLS' })
  const host = { hosts: [`127.0.0.1:${secure.port}`] }
  const asked = { url: `${secure.url}/app.git` }
  const tokens = [parseGitToken(`127.0.0.1:${secure.port}=${CANARY}`)]
  await using source = await open(asked, { ...host, tokens, authorities: cert })
  expect(await read(source)).toEqual({ 'a.txt': 'over TLS' })
  const trusted = secure.seen.length
  expect(await failure(asked, { ...host, tokens })).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  expect(secure.seen).toHaveLength(trusted)
})

test('redirects are not followed', async () => {
  await using elsewhere = await startGitServer()
  await elsewhere.commit({ 'a.txt': 'from elsewhere' })
  server.intercept = (request, response) => {
    response.writeHead(302, { location: `${elsewhere.url}${request.url}` }).end()
    return true
  }
  expect(await failure({}, { hosts: [server.url, elsewhere.url] })).toMatchObject({
    code: 'SOURCE_UNREACHABLE',
  })
  expect(elsewhere.seen).toEqual([])
})

test('a ref, a folder and a repository that are not there are not found', async () => {
  const missing = { code: 'SOURCE_NOT_FOUND' }
  expect(await failure({ ref: 'no-such-branch' })).toMatchObject(missing)
  expect(await failure({ ref: '0123456789012345678901234567890123456789' })).toMatchObject(missing)
  expect(await failure({ path: 'no/such/folder' })).toMatchObject(missing)
  expect(await failure({ path: 'a.txt' })).toMatchObject(missing)
  expect(await failure({ url: `${server.url}/none.git` })).toMatchObject(missing)
})

test('a token goes to its host alone, and appears in no error, whatever the host answers', async () => {
  const tokens = [parseGitToken(`127.0.0.1:${server.port}=${CANARY}`)]
  await using source = await open({}, { tokens })
  await read(source)
  const expected = `Basic ${Buffer.from(`x-access-token:${CANARY}`).toString('base64')}`
  expect(new Set(server.seen.map(({ authorization }) => authorization))).toEqual(new Set([expected]))
  for (const status of [401, 403, 500]) {
    server.intercept = (request, response) => {
      const echo = `${request.headers.authorization} ${CANARY}`
      response.writeHead(status, {
        'content-type': 'text/plain',
        'www-authenticate': `Basic realm="${echo}"`,
      })
      response.end(echo)
      return true
    }
    const error = await failure({}, { tokens })
    expect(error).toMatchObject({ code: status === 500 ? 'SOURCE_UNREACHABLE' : 'SOURCE_DENIED' })
    const told = `${error?.message} ${error?.stack} ${JSON.stringify(error)} ${String(error?.cause)}`
    expect(told).not.toContain(CANARY)
    expect(told).not.toContain(expected.slice(6))
  }
})

test('a project that may not administer the server gets no repository through a token of the operator', () => {
  const tokens = [parseGitToken(`127.0.0.1:${server.port}=${CANARY}`)]
  const asked = { kind: 'git' as const, url: `${server.url}/app.git` }
  const untrusted = { id: 'p', isTrusted: false }
  expect(() => gitKind({ tokens }).resolve(asked, untrusted)).toThrowError(
    expect.objectContaining({ code: 'SETTINGS_INVALID' }),
  )
  expect(gitKind().resolve(asked, untrusted)).toMatchObject({ kind: 'git' })
})

test('a token that the operator adds later does not go to an address that a project had set before', async () => {
  const tokens = [parseGitToken(`127.0.0.1:${server.port}=${CANARY}`)]
  const asked = { kind: 'git' as const, url: `${server.url}/app.git` }
  const requestsOf = async (isTrusted: boolean) => {
    const settings = gitKind().resolve(asked, { id: 'p', isTrusted })
    server.seen.length = 0
    await using source = await gitKind({ tokens }).open(settings)
    await read(source)
    return server.seen.map(({ authorization }) => authorization !== undefined)
  }
  expect(new Set(await requestsOf(false))).toEqual(new Set([false]))
  expect(new Set(await requestsOf(true))).toEqual(new Set([true]))
})

test('a name that is no path here is listed, for the sync to refuse, and one that stands for .git is not taken', async () => {
  await server.commit({ 'a.txt': 'a' }, 'names')
  const blob = server.git('rev-parse', 'HEAD:a.txt')
  const commitNamed = (name: string) => {
    server.git(
      '-c',
      'core.protectNTFS=false',
      'update-index',
      '--add',
      '--cacheinfo',
      `100644,${blob},${name}`,
    )
    server.git('commit', '-q', '-m', 'names')
    server.git('reset', '-q', '--hard', 'HEAD')
    server.publish('names')
  }
  commitNamed('a\\b.txt')
  await using source = await open({ ref: 'names' })
  expect(await read(source)).toHaveProperty(['a\\b.txt'], 'a')
  commitNamed('git~1')
  expect(await failure({ ref: 'names' })).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

test('a repository with more bytes or files than allowed is refused, also one that is small on the way', async () => {
  await server.commit({ 'zeros.bin': '\0'.repeat(3 * MIB) }, 'large')
  const large = { ref: 'large' }
  expect(await failure(large, { limits: { bytes: 2 * MIB } })).toMatchObject({ code: 'PROJECT_TOO_LARGE' })
  expect(await failure(large, { limits: { files: 2 } })).toMatchObject({ code: 'TOO_MANY_FILES' })
  await server.commit({ 'zeros.bin': '\0'.repeat(120 * MIB) }, 'bomb')
  expect(await failure({ ref: 'bomb' }, { limits: { memoryBytes: 96 * MIB } })).toMatchObject({
    code: 'PROJECT_TOO_LARGE',
  })
})

test('a host that takes a connection and says nothing is given up', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const error = await failure({ url: `${url}/app.git` }, { hosts: [url], limits: { timeoutMs: 3_000 } })
  expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  silent.close()
})

test('a host that is not there, and one that speaks something else, are not reachable', async () => {
  // No port that was free a moment ago: a test that runs beside this one may have been given it.
  const url = 'http://127.0.0.1:1'
  expect(await failure({ url: `${url}/app.git` }, { hosts: [url] })).toMatchObject({
    code: 'SOURCE_UNREACHABLE',
  })
  server.intercept = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>')
    return true
  }
  expect(await failure()).toMatchObject({ code: 'SOURCE_NOT_FOUND' })
})

test('a host that is busy for a moment is asked again, and one that refuses is not', async () => {
  const answers = [503, 429]
  server.intercept = (_, response) => {
    const status = answers.shift()
    if (status !== undefined) response.writeHead(status).end()
    return status !== undefined
  }
  await using source = await open()
  expect(await read(source)).toHaveProperty(['a.txt'])
  expect(answers).toEqual([])
  server.seen.length = 0
  server.intercept = (_, response) => {
    response.writeHead(404).end()
    return true
  }
  expect(await failure()).toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  expect(server.seen).toHaveLength(1)
})

test('a fetch that is given up ends', async () => {
  await using source = await open()
  const given = new AbortController()
  server.intercept = () => {
    given.abort()
    return true
  }
  await expect(Array.fromAsync(source.list(given.signal))).rejects.toThrow()
  server.intercept = () => false
  expect(await read(source)).toHaveProperty(['a.txt'])
})

test('a token or a host that is written otherwise is refused without the token in the words', () => {
  expect(() => parseGitToken(`${CANARY} x`)).toThrowError(expect.not.stringContaining(CANARY))
  expect(parseGitToken('git.example.org=me:abc')).toEqual({
    host: 'git.example.org',
    user: 'me',
    token: 'abc',
  })
  expect(() => parseGitHost('https://git.example.org/path')).toThrow('PREVIEWD_GIT_HOSTS')
})
