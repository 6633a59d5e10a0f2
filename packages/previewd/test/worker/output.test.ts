import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  collected,
  file,
  MIB,
  OWN_GROWTH_BYTES,
  openSandbox,
  script,
  shell,
  type TestSandbox,
} from './sandbox.ts'

let sandbox: TestSandbox
beforeAll(async () => {
  sandbox = await openSandbox()
})
afterAll(async () => {
  await sandbox[Symbol.asyncDispose]()
})

const LIMITS = { files: 100, bytes: MIB }

describe('an output', () => {
  it('comes in the order of its paths', async () => {
    await using worker = await sandbox.start()
    const paths = ['a-b/x', 'a.txt', 'a/b', 'a/b.c', 'a/b/c'.replace('b/c', 'd/c'), 'a0', 'é', 'z/z']
    await worker.put(paths.map((path) => file(`out/${path}`, path)))
    expect([...(await collected(worker, '/app/out')).keys()]).toEqual([...paths].sort())
  })

  it('that is missing, or not a folder, is told', async () => {
    await using worker = await sandbox.start()
    await worker.put([file('out', 'file'), { kind: 'link', path: 'linked', target: '/etc' }])
    for (const folder of ['/app/none', '/app/out', '/app/linked']) {
      await expect(collected(worker, folder)).rejects.toMatchObject({ reason: 'missing_output' })
    }
  })

  it('shows links and does not follow them', async () => {
    await using worker = await sandbox.start()
    await shell(
      worker,
      'mkdir out; ln -s /etc/passwd out/file; ln -s / out/root; ln -s . out/loop; ln -s nowhere out/x',
    )
    expect([...(await collected(worker, '/app/out'))]).toEqual([
      ['file', '-> /etc/passwd'],
      ['loop', '-> .'],
      ['root', '-> /'],
      ['x', '-> nowhere'],
    ])
  })

  it.each([
    ['a FIFO', 'mkfifo out/special'],
    [
      'a name that is not UTF-8',
      `node -e "require('fs').writeFileSync(Buffer.concat([Buffer.from('out/'), Buffer.from([255])]), '')"`,
    ],
    ['a socket', `node -e "require('net').createServer().listen('out/special', () => process.exit())"`],
  ])('with %s is refused at once, and the worker lives on', async (_, command) => {
    await using worker = await sandbox.start()
    await shell(worker, `mkdir out; ${command}`)
    await expect(collected(worker, '/app/out')).rejects.toMatchObject({ reason: 'special_file' })
    expect((await shell(worker, 'true')).outcome).toEqual({ kind: 'succeeded' })
  })

  it('with too many files, folders too deep or too many bytes is refused', async () => {
    await using worker = await sandbox.start()
    await script(
      worker,
      `import { mkdirSync, writeFileSync, truncateSync } from 'node:fs'
       mkdirSync('many'); for (let i = 0; i < 20_000; i++) writeFileSync('many/' + i, '')
       mkdirSync('deep'); process.chdir('deep')
       for (let i = 0; i < 600; i++) { mkdirSync('d'); process.chdir('d') }
       process.chdir('/app'); mkdirSync('sparse'); writeFileSync('sparse/a', ''); truncateSync('sparse/a', 50e6)`,
    )
    await expect(collected(worker, '/app/many', LIMITS)).rejects.toMatchObject({ reason: 'too_many_files' })
    await expect(collected(worker, '/app/deep', LIMITS)).rejects.toMatchObject({ reason: 'special_file' })
    await expect(collected(worker, '/app/sparse', LIMITS)).rejects.toMatchObject({ reason: 'too_many_bytes' })
    await worker.put([file('good/a', 'b')])
    expect(await collected(worker, '/app/good', LIMITS)).toEqual(new Map([['a', 'b']]))
  })

  it('of 100,000 files is read with bounded memory', { timeout: 120_000 }, async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 1024 * MIB, appBytes: 512 * MIB } })
    await script(
      worker,
      `import { mkdirSync, writeFileSync } from 'node:fs'
       for (let i = 0; i < 100; i++) { mkdirSync('out/' + i, { recursive: true }); for (let j = 0; j < 1000; j++) writeFileSync('out/' + i + '/' + j, 'x') }`,
    )
    let files = 0
    for await (const _ of worker.collect('/app/out', { files: 100_000, bytes: MIB })) files++
    expect(files).toBe(100_000)
  })

  it('may be left off in the middle, and files skipped', async () => {
    await using worker = await sandbox.start()
    await worker.put(['a', 'b', 'c'].map((name) => file(`out/${name}`, Buffer.alloc(6 * MIB, name))))
    const limits = { files: 10, bytes: 64 * MIB }
    for await (const entry of worker.collect('/app/out', limits)) {
      if (entry.kind === 'file') for await (const _ of entry.content) break
      break
    }
    const skipped: string[] = []
    for await (const entry of worker.collect('/app/out', limits)) skipped.push(entry.path)
    expect(skipped).toEqual(['a', 'b', 'c'])
    expect((await collected(worker, '/app/out', limits)).get('c')?.length).toBe(6 * MIB)
  })

  it('that nobody reads does not grow the memory of the host', async () => {
    await using worker = await sandbox.start({ limits: { memoryBytes: 1024 * MIB, appBytes: 512 * MIB } })
    await shell(worker, 'mkdir out; head -c 400000000 /dev/zero > out/big')
    const before = process.memoryUsage.rss()
    const entries = worker.collect('/app/out', { files: 10, bytes: 512 * MIB })[Symbol.asyncIterator]()
    const first = await entries.next()
    // By the time this has been there and back, all that the child can send has been sent.
    await new Promise((resolve) => setImmediate(resolve))
    expect(process.memoryUsage.rss() - before).toBeLessThan(OWN_GROWTH_BYTES)
    expect(first.value).toMatchObject({ path: 'big', size: 400_000_000 })
    await entries.return?.()
  })

  it('that changes while it is read is an error and not a mix', async () => {
    await using worker = await sandbox.start()
    await worker.put([file('out/a', Buffer.alloc(20 * MIB)), file('out/b', 'b')])
    const reading = (async () => {
      for await (const entry of worker.collect('/app/out', { files: 10, bytes: 64 * MIB })) {
        await shell(worker, 'echo short > out/a')
        if (entry.kind === 'file') for await (const _ of entry.content);
      }
    })()
    await expect(reading).rejects.toMatchObject({ reason: 'violation' })
  })
})
