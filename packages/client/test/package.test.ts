import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from '../../previewd/test/e2e/browser.ts'
import { answering } from './answering.ts'
import { type Consumer, installPacked } from './packed.ts'

const PROGRAM = `
import { createClient, PreviewdError } from '@previewd/client'
const project = createClient({ url: process.argv[2], apiKey: 'k' }).project('demo')
const { revision } = await project.applyChanges({ files: { 'index.html': '<h1>Hello</h1>' } })
const error = await project.build().catch((error) => error)
console.log(JSON.stringify({ revision, isOwn: error instanceof PreviewdError, code: error.code }))
`
const SAID = { revision: 7, isOwn: true, code: 'QUEUE_FULL' }

let consumer: Consumer
beforeAll(() => {
  consumer = installPacked()
})
afterAll(() => consumer[Symbol.dispose]())

const startPlatform = (headers: Record<string, string> = {}) =>
  answering(({ url = '', method }) => {
    const type = { 'content-type': 'application/json', ...headers }
    if (method === 'OPTIONS') return { status: 204, headers }
    return url.endsWith('/changes')
      ? { status: 200, headers: type, body: { revision: 7 } }
      : {
          status: 429,
          headers: { ...type, 'retry-after': '999' },
          body: { code: 'QUEUE_FULL', detail: 'Full.' },
        }
  })

describe('the package that is published', () => {
  test('has the compiled modules with their types, says what it is, and needs nothing else', () => {
    const names = readdirSync(join(import.meta.dirname, '../src')).map((name) => name.replace('.ts', ''))
    const modules = names.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`])
    expect(consumer.contents.toSorted()).toEqual(['README.md', 'package.json', ...modules].toSorted())
    const { dependencies, ...manifest } = JSON.parse(
      readFileSync(join(consumer.folder, 'node_modules/@previewd/client/package.json'), 'utf8'),
    )
    expect(dependencies).toBeUndefined()
    expect(manifest).toMatchObject({ name: '@previewd/client', type: 'module', license: 'MIT' })
  })

  test('imports nothing but its own modules: there is no Node on the edge', () => {
    const folder = join(consumer.folder, 'node_modules/@previewd/client/dist')
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'))
    const imported = scripts.flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from),
    )
    expect(imported.length).toBeGreaterThan(10)
    expect(imported.filter((from) => !/^\.\/[\w-]+\.js$/.test(from ?? ''))).toEqual([])
  })

  test.each(nodes())('runs in the Node of %s', async (node) => {
    await using platform = await startPlatform()
    const program = join(consumer.folder, 'program.mjs')
    writeFileSync(program, PROGRAM)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    execFile(node, [program, platform.url], (error, stdout) => (error ? reject(error) : resolve(stdout)))
    expect(JSON.parse(await promise)).toEqual(SAID)
  })

  test('gives a program in TypeScript its types', () => {
    const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc')
    writeFileSync(
      join(consumer.folder, 'typed.mts'),
      `import { createClient, type Status } from '@previewd/client'
       const project = createClient({ url: 'http://127.0.0.1:4400' }).project('demo')
       export const state: Promise<Status['state']> = project.status().then(({ state }) => state)
       // @ts-expect-error there is no such point
       project.applyChanges({ files: {} }, { wait: 'someday' })
       for await (const event of project.events()) if (event.type === 'build') event.data.state satisfies string
       await using session = await project.startSession()
       session.info.viewers.toFixed()
      `,
    )
    const libraries = [
      ['--lib', 'ES2022,DOM,ESNext.Disposable'],
      ['--module', 'NodeNext'],
      ['--target', 'ES2022'],
    ]
    const args = [tsc, '--noEmit', '--strict', ...libraries.flat(), 'typed.mts']
    expect(spawnSync(process.execPath, args, { cwd: consumer.folder, encoding: 'utf8' }).stdout).toBe('')
  })

  test('runs in a browser', async () => {
    const page = await servePage(consumer.folder)
    await using platform = await startPlatform({
      'access-control-allow-origin': page.url,
      'access-control-allow-headers': 'authorization, content-type, idempotency-key',
      'access-control-allow-methods': 'GET, POST',
      'access-control-expose-headers': 'retry-after',
    })
    const browser = await launchBrowser()
    try {
      const opened = await browser.newPage()
      const said = opened.waitForEvent('console', (message) => message.text().startsWith('{'))
      await opened.goto(`${page.url}/?${platform.url}`)
      expect(JSON.parse((await said).text())).toEqual(SAID)
    } finally {
      await browser.close()
      page.close()
    }
  })
})

/** The Node of the tests, and an older one that the machine may have. */
function nodes(): string[] {
  const isOlder =
    existsSync('/usr/bin/node') &&
    olderThan(execFileSync('/usr/bin/node', ['--version'], { encoding: 'utf8' }))
  return isOlder ? [process.execPath, '/usr/bin/node'] : [process.execPath]
}

/** Not older than the package asks for. */
function olderThan(version: string): boolean {
  const major = Number(/^v(\d+)/.exec(version)?.[1])
  return major >= 20 && major < Number(process.versions.node.split('.')[0])
}

/** A page with the program, and the package as plain files beside it. */
async function servePage(folder: string): Promise<{ url: string; close: () => void }> {
  const imports = { '@previewd/client': '/node_modules/@previewd/client/dist/client.js' }
  const program = PROGRAM.replace('process.argv[2]', 'location.search.slice(1)')
  const html = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
    <script type="module">${program}</script>`
  const server = createServer(({ url = '/' }, response) => {
    if (!url.startsWith('/node_modules/')) return response.setHeader('content-type', 'text/html').end(html)
    return response.setHeader('content-type', 'text/javascript').end(readFileSync(join(folder, url)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}
