import { expect, it, onTestFinished, vi } from 'vitest'
import { createEventBus } from '../../src/events/bus.ts'
import { DEFAULT_SETTINGS, type Project } from '../../src/model/project.ts'
import type { Sources } from '../../src/model/source.ts'
import { Followers } from '../../src/pipeline/followers.ts'
import { oneFile, only } from './sources-in-between.ts'

const PROJECT: Project = {
  id: 'demo',
  settings: { ...DEFAULT_SETTINGS, source: { kind: 'local', path: '/demo' } },
  revision: 1,
  createdAt: '',
  activeAt: '',
}

/** A folder that cannot be opened, or read, as long as `refusals` are left. */
function followed(refusals: { open: number; sync: number }) {
  const told: ((paths: readonly string[] | undefined) => void)[] = []
  const source = only({
    ...oneFile(() => 'x'),
    watch: (onChange) => {
      told.push(onChange)
      return { [Symbol.asyncDispose]: async () => undefined }
    },
  })
  const open: Sources['open'] = async (project) => {
    if (refusals.open-- > 0) throw new Error('too many open files')
    return source.open(project)
  }
  const syncs: unknown[] = []
  const followers = new Followers(
    {
      sources: { ...source, open },
      events: createEventBus(),
      onError: () => undefined,
      retryPauses: { firstMs: 1, longestMs: 4 },
    },
    async (_, request) => {
      syncs.push(request)
      if (refusals.sync-- > 0) throw new Error('it is not there')
      followers.follow(PROJECT)
    },
  )
  followers.follow(PROJECT)
  return { followers, told, syncs }
}

it('follows a folder later that cannot be opened at first, and compares all that it missed', async () => {
  const { followers, told, syncs } = followed({ open: 3, sync: 2 })
  await expect.poll(() => told.length).toBe(1)
  // Two that fail, two after which the folder cannot be opened, and the one after which it can.
  expect(syncs).toEqual([{}, {}, {}, {}, {}])
  told[0]?.(['index.html'])
  await expect.poll(() => syncs.at(-1)).toEqual({ paths: ['index.html'] })
  expect(told).toHaveLength(1)
  await followers.close()
})

it('tries no more once the folder is let go', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { followers, told, syncs } = followed({ open: Number.POSITIVE_INFINITY, sync: 0 })
  await vi.advanceTimersByTimeAsync(20)
  expect(syncs.length).toBeGreaterThan(1)
  expect(vi.getTimerCount()).toBe(1)
  await followers.stop('demo')
  expect(vi.getTimerCount()).toBe(0)
  expect(told).toEqual([])
})
