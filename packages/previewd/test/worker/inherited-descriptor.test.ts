import { spawn } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'

it('a descriptor that the server inherited does not reach project code', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'previewd-descriptor-'))
  const secret = await open(join(folder, 'secret'), 'w+')
  try {
    // Far from the others: Node itself keeps what follows the first ones from its children.
    const stdio = [...Array.from({ length: 40 }, () => 'ignore' as const), secret.fd]
    const child = spawn(process.execPath, [join(import.meta.dirname, 'inherited-descriptor-child.ts')], {
      stdio: ['ignore', 'pipe', 'inherit', ...stdio.slice(3)],
    })
    const seen = child.stdout && (await text(child.stdout))
    expect(seen).toContain('2 -> ')
    expect(seen).not.toContain('40 -> ')
  } finally {
    await secret.close()
    await rm(folder, { recursive: true })
  }
})
