import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Client } from './client.ts'
import { freePort } from './free-port.ts'

const projectRoot = join(import.meta.dirname, '../../../..')

test('npm start serves the sample app and prints where; one signal stops everything', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'previewd-start-'))
  await chmod(dataDir, 0o711)
  const port = await freePort()
  try {
    const started = start({ PREVIEWD_PORT: String(port), PREVIEWD_DATA: dataDir })
    await Promise.race([started.printed('Ctrl-C stops the server'), started.ended])
    expect(started.output()).toContain(`http://welcome.localhost:${port}/`)
    const client = new Client(`http://127.0.0.1:${port}`)
    expect((await client.preview('welcome')).text).toContain('Solstice')

    started.child.kill('SIGINT')
    expect(await started.ended).toBe(0)
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow()
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('npm start says in one sentence that the port is taken', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const started = start({ PREVIEWD_PORT: String(portOf(taken)) })
  expect(await started.ended).toBe(1)
  expect(started.output().trim().split('\n')).toHaveLength(1)
  expect(started.output()).toContain(`Port ${portOf(taken)} is taken`)
  taken.close()
})

interface Started {
  child: ChildProcess
  output(): string
  /** Resolves once the text was printed. */
  printed(text: string): Promise<void>
  /** The exit code. */
  ended: Promise<number | null>
}

function start(environment: Record<string, string>): Started {
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    cwd: projectRoot,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const gather = (chunk: Buffer) => {
    output += chunk.toString()
    child.emit('printed')
  }
  child.stdout.on('data', gather)
  child.stderr.on('data', gather)
  return {
    child,
    output: () => output,
    async printed(text) {
      while (!output.includes(text)) await once(child, 'printed')
    },
    ended: once(child, 'close').then(([code]) => code as number | null),
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
