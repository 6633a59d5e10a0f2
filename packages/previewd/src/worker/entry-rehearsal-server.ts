import { get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Vite } from './entry-dev-vite.ts'
import { SAMPLE, SAMPLE_CACHE } from './entry-rehearsal-sample.ts'
import type { Tools } from './entry-rehearsal-tools.ts'

/** Each server compiles the modules anew. */
const ROUNDS = 3

/** Serves the sample as a dev server does, and asks for all of its modules as a page would. */
export async function playServer(tools: Tools, addresses: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await playOnce(tools, addresses)
}

async function playOnce(tools: Tools, addresses: readonly string[]): Promise<void> {
  const server = await (tools.vite as unknown as Vite).createServer({
    root: SAMPLE,
    configFile: false,
    envDir: SAMPLE,
    cacheDir: SAMPLE_CACHE,
    clearScreen: false,
    logLevel: 'silent',
    server: { host: '127.0.0.1', port: 0, open: false, watch: null },
    // What packages a project has bundled is its own; here it would only take time.
    optimizeDeps: { noDiscovery: true, include: [] },
    plugins: tools.plugins(),
    css: { postcss: { plugins: tools.postcss() } },
  })
  try {
    await server.listen()
    const { port } = (server.httpServer as Server).address() as AddressInfo
    await request(port, '/', 'text/html')
    await Promise.all(['/@vite/client', ...addresses.slice(1)].map((path) => request(port, path, '*/*')))
  } finally {
    await server.close()
  }
}

/** Reads the answer to its end, whatever it is. */
function request(port: number, path: string, accept: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers: { accept, connection: 'close' } }, (answer) => {
      answer.resume().once('end', resolve).once('error', reject)
    }).once('error', reject)
  })
}
