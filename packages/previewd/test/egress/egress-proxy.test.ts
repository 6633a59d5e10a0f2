import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEgress, type EgressOptions } from '../../src/egress/egress-proxy.ts'
import type { EgressGate, EgressPolicy, EgressRefusal } from '../../src/model/egress.ts'

/** Stands for a host on the internet, which cannot be reached from everywhere that the tests run. */
let host: Server
let port: number
let socketDir: string

beforeAll(async () => {
  socketDir = await mkdtemp(join(tmpdir(), 'previewd-egress-'))
  host = createServer((incoming, answer) => {
    if (incoming.url === '/redirect')
      return answer.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    if (incoming.url === '/reset')
      return answer
        .writeHead(200, { 'content-length': 9 })
        .write('half', () => incoming.socket.resetAndDestroy())
    answer.end(`${incoming.method} ${incoming.headers.host} ${incoming.url}`)
  })
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  port = (host.address() as AddressInfo).port
})

afterAll(async () => {
  host.closeAllConnections()
  host.close()
  await rm(socketDir, { recursive: true, force: true })
})

async function openGate(
  policy: EgressPolicy,
  options: Partial<EgressOptions> = {},
): Promise<EgressGate & AsyncDisposable & { refusals: EgressRefusal[] }> {
  const egress = createEgress({
    socketDir,
    maximum: 'public',
    allowedHosts: [],
    privateNetworks: ['127.0.0.0/8', '::1/128'],
    ports: [port],
    ...options,
  })
  const refusals: EgressRefusal[] = []
  const gate = await egress.open(policy, (refusal) => refusals.push(refusal))
  return Object.assign(gate, { refusals, [Symbol.asyncDispose]: () => gate.close() })
}

/** Status and body of a plain request, or of a GET through a tunnel. */
async function through(
  gate: EgressGate,
  url: string,
): Promise<{ status: number; text: string; mark: unknown }> {
  const asked = request({ socketPath: gate.socket, path: url, headers: { host: new URL(url).host } })
  asked.end()
  const [answer] = await once(asked, 'response')
  const text = (await Array.fromAsync(answer as AsyncIterable<Buffer>)).join('')
  return { status: answer.statusCode, text, mark: answer.headers['x-previewd-egress'] }
}

async function connectThrough(
  gate: EgressGate,
  authority: string,
): Promise<{ status: number; socket: Socket }> {
  const asked = request({ socketPath: gate.socket, method: 'CONNECT', path: authority })
  asked.end()
  const [answer, socket] = await once(asked, 'connect')
  return { status: answer.statusCode, socket }
}

describe('the egress proxy', () => {
  it('forwards plain requests to what is allowed', async () => {
    await using gate = await openGate('public')
    const answer = await through(gate, `http://127.0.0.1:${port}/a?b=c`)
    expect(answer).toMatchObject({ status: 200, text: `GET 127.0.0.1:${port} /a?b=c` })
  })

  it('breaks an answer off that the host breaks off, and nothing else', async () => {
    await using gate = await openGate('public')
    await expect(through(gate, `http://127.0.0.1:${port}/reset`)).rejects.toThrow('aborted')
    expect((await through(gate, `http://127.0.0.1:${port}/`)).status).toBe(200)
  })

  it('carries a tunnel both ways', async () => {
    await using gate = await openGate('public')
    const { status, socket } = await connectThrough(gate, `localhost:${port}`)
    expect(status).toBe(200)
    socket.end('GET /in-tunnel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const text = (await Array.fromAsync(socket)).join('')
    expect(text).toContain('GET x /in-tunnel')
  })

  it.each([
    ['an address of the metadata service', 'http://169.254.169.254/latest', []],
    ['loopback', 'http://127.0.0.1/', []],
    ['a name of loopback', 'http://localhost/', []],
    ['IPv6 loopback', 'http://[::1]/', []],
    ['IPv4 inside IPv6', 'http://[::ffff:127.0.0.1]/', []],
    ['a private network', 'http://10.0.0.1/', []],
    ['a number for an address', 'http://2130706433/', []],
  ])('refuses %s at once, marked as a refusal', async (_what, url, privateNetworks) => {
    await using gate = await openGate('public', { privateNetworks })
    const answer = await through(gate, url)
    expect(answer).toMatchObject({ status: 403, mark: 'refused' })
    expect(answer.text).toMatch(/not public|could not be resolved/)
    const tunnel = await connectThrough(gate, `${new URL(url).hostname}:443`)
    expect(tunnel.status).toBe(403)
    tunnel.socket.destroy()
    expect(gate.refusals).toHaveLength(2)
  })

  it('leaves redirects to the client, whose next request is judged anew', async () => {
    await using gate = await openGate('public')
    const first = await through(gate, `http://127.0.0.1:${port}/redirect`)
    expect(first.status).toBe(302)
    expect(await through(gate, 'http://169.254.169.254/')).toMatchObject({ status: 403, mark: 'refused' })
  })

  it('refuses ports that are not for the web', async () => {
    await using gate = await openGate('public', { ports: [] })
    expect((await through(gate, `http://127.0.0.1:${port}/`)).text).toContain(`Port ${port}`)
  })

  it('lets a project of policy none reach nothing', async () => {
    await using gate = await openGate('none')
    expect(await through(gate, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 403, mark: 'refused' })
  })

  it('never gives more than the operator allows', async () => {
    await using gate = await openGate('public', { maximum: 'allowlist', allowedHosts: ['*.example.org'] })
    expect((await through(gate, `http://127.0.0.1:${port}/`)).text).toContain('not on the list')
  })

  it.each(['localhost', 'LOCALHOST'])('reaches the listed host %s', async (rule) => {
    await using gate = await openGate('allowlist', { allowedHosts: [rule] })
    expect((await through(gate, `http://localhost:${port}/`)).status).toBe(200)
  })

  it.each([
    ['a.example.invalid', 'could not be resolved'],
    ['example.invalid', 'not on the list'],
    ['badexample.invalid', 'not on the list'],
  ])('takes *.example.invalid for the names below it: %s', async (name, reason) => {
    await using gate = await openGate('allowlist', { allowedHosts: ['*.example.invalid'] })
    expect((await through(gate, `http://${name}/`)).text).toContain(reason)
  })

  it('tells a host that does not answer apart from a refusal', async () => {
    await using gate = await openGate('public', { ports: [1] })
    expect(await through(gate, 'http://127.0.0.1:1/')).toMatchObject({ status: 502, mark: 'failed' })
  })

  it('ends what passes the limit of bytes', async () => {
    await using gate = await openGate('public', { transferBytes: 10 })
    await expect(through(gate, `http://127.0.0.1:${port}/long-enough`)).rejects.toThrow()
  })

  it.each(['no-port', 'a b:80', ':80', 'host:0', 'host:99999', '[::1:80'])(
    'refuses the target %j',
    async (target) => {
      await using gate = await openGate('public')
      const asked = await connectThrough(gate, encodeURI(target))
      expect(asked.status).toBe(403)
      asked.socket.destroy()
    },
  )
})
