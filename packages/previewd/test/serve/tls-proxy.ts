import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** What operators put in front: it ends TLS, and says in X-Forwarded-* who came and how. */
export class TlsProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()

  readonly certificate: string

  private constructor(server: Server, certificate: string) {
    this.#server = server
    this.certificate = certificate
    server.on('connection', (socket) => this.#sockets.add(socket))
  }

  static async start(port: number): Promise<TlsProxy> {
    const pair = await certificate()
    const server = createServer(pair)
    const forward = (req: IncomingMessage) =>
      request({
        host: '127.0.0.1',
        port,
        path: req.url,
        method: req.method,
        headers: {
          ...req.headers,
          'x-forwarded-for': req.socket.remoteAddress,
          'x-forwarded-proto': 'https',
          'x-forwarded-host': req.headers.host,
        },
      })
    server.on('request', (req, res) => {
      const asked = forward(req)
      asked.on('error', () => res.destroy())
      asked.on('response', (answer) =>
        answer.pipe(res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)),
      )
      req.pipe(asked)
    })
    server.on('upgrade', (req, socket) => {
      const asked = forward(req)
      asked.on('error', () => socket.destroy())
      asked.on('upgrade', (answer, upstream, head) => {
        const headers = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`)
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('')}\r\n`)
        socket.write(head)
        for (const end of [socket, upstream]) end.on('error', () => end.destroy())
        socket.pipe(upstream).pipe(socket)
      })
      asked.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TlsProxy(server, pair.cert.toString())
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Signed by itself; browsers of tests are told to take it. */
async function certificate(): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,DNS:*.localhost']
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...made, ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  const pair = { key: await readFile(key), cert: await readFile(cert) }
  await rm(folder, { recursive: true })
  return pair
}
