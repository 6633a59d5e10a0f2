import { tmpdir } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DiskCare, freeShareOf } from '../../src/disk-care.ts'

const DAY_MS = 24 * 60 * 60 * 1000

async function look(freeShare: () => Promise<number>, evict?: () => Promise<object | undefined>) {
  const evictions: number[] = []
  const said: string[] = []
  const logger = { info: () => said.push('info'), error: () => said.push('error') }
  const environments = {
    evict: async (unusedForMs: number) => {
      evictions.push(unusedForMs)
      return evict?.()
    },
  }
  const care = new DiskCare(environments, freeShare, logger as never)
  onTestFinished(() => care.stop())
  await care.look()
  return { evictions, said }
}

describe('the care for the disk', () => {
  it('leaves environments alone while there is space', async () => {
    expect(await look(async () => 0.5)).toEqual({ evictions: [], said: [] })
  })

  it('removes what was not used for two weeks where space is low, and says so', async () => {
    expect(await look(async () => 0.1)).toEqual({ evictions: [14 * DAY_MS], said: ['info'] })
  })

  it('goes on after a failure', async () => {
    const failing = async () => {
      throw new Error('no')
    }
    expect((await look(async () => 0.1, failing)).said).toEqual(['error'])
    expect((await look(failing)).said).toEqual(['error'])
  })
})

describe('freeShareOf', () => {
  it('is a share', async () => {
    const share = await freeShareOf(tmpdir())
    expect(share).toBeGreaterThan(0)
    expect(share).toBeLessThanOrEqual(1)
  })
})
