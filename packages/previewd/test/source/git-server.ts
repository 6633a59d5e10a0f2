import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { tempFolder } from './temp-folder.ts'

export interface GitServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  url: string
  port: number
  /** Headers of the requests so far. */
  seen: IncomingMessage['headers'][]
  /** Answers instead of git, where it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Makes files the newest commit of a branch; `undefined` removes one. Resolves with the commit. */
  commit(files: Record<string, string | undefined>, branch?: string): Promise<string>
  /** Runs git in the folder that the commits are made in. */
  git(...args: string[]): string
  /** Sends what `git` made to the repository that is served. */
  publish(...refs: string[]): void
  folder: string
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  PATH: process.env.PATH,
}

/** A repository `/app.git` behind git's own smart HTTP server; over TLS where a key and a certificate are given. */
export async function startGitServer(tls?: { key: string; cert: string }): Promise<GitServer> {
  const folder = await tempFolder()
  const work = join(folder.path, 'work')
  const served = join(folder.path, 'served/app.git')
  const run = (cwd: string, args: string[]) =>
    execFileSync('git', args, { cwd, env: AUTHOR, encoding: 'utf8', stdio: 'pipe' }).trim()
  run(folder.path, ['init', '-q', '-b', 'main', work])
  run(folder.path, ['init', '-q', '-b', 'main', '--bare', served])
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    started.seen.push(request.headers)
    if (!started.intercept(request, response)) serve(join(folder.path, 'served'), request, response)
  }
  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const started: GitServer = {
    url: `http${tls ? 's' : ''}://127.0.0.1:${port}`,
    port,
    seen: [],
    folder: work,
    intercept: () => false,
    git: (...args) => run(work, args),
    publish: (...refs) => void run(work, ['push', '-q', '--force', served, ...refs]),
    async commit(files, branch = 'main') {
      run(work, ['checkout', '-q', '-B', branch])
      for (const [name, content] of Object.entries(files)) {
        if (content === undefined) run(work, ['rm', '-q', name])
        else await folder.write(`work/${name}`, content)
      }
      run(work, ['add', '--force', '--all'])
      run(work, ['commit', '-q', '--allow-empty', '-m', 'change'])
      run(work, ['push', '-q', '--force', served, branch])
      return run(work, ['rev-parse', 'HEAD'])
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await folder[Symbol.asyncDispose]()
    },
  }
  return started
}

/** CGI, as git-http-backend(1) has it. */
function serve(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      GIT_CONFIG_NOSYSTEM: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-encoding'] && {
        HTTP_CONTENT_ENCODING: String(request.headers['content-encoding']),
      }),
      REMOTE_ADDR: '127.0.0.1',
    },
  })
  request.pipe(backend.stdin)
  backend.stdin.on('error', () => request.unpipe())
  void answer(backend.stdout, response)
}

async function answer(output: AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
  let head = Buffer.alloc(0)
  let hasHead = false
  for await (const chunk of output) {
    if (hasHead) {
      response.write(chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) continue
    hasHead = true
    const headers = head.subarray(0, end).toString().split('\r\n')
    for (const header of headers) {
      const [name = '', value = ''] = header.split(/: (.*)/)
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.write(head.subarray(end + 4))
  }
  response.end()
}
