import { expect, test } from 'vitest'
import { ContentCache } from '../../src/lib/content-cache.ts'

test('contents are read once, also for readers that come at once', async () => {
  const cache = new ContentCache(10_000)
  let reads = 0
  const read = async () => Buffer.from(`read ${++reads}`)
  const [first, second] = await Promise.all([cache.get('a', read), cache.get('a', read)])
  expect([first, second, await cache.get('a', read)].map(String)).toEqual(['read 1', 'read 1', 'read 1'])
})

test('a read that failed is tried again', async () => {
  const cache = new ContentCache(10_000)
  await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(String(await cache.get('a', async () => Buffer.from('yes')))).toBe('yes')
})

test('what was used longest ago makes place, and what is too large is not kept', async () => {
  const cache = new ContentCache(10_000, 6_000)
  const reads: string[] = []
  const get = (key: string, bytes: number) =>
    cache.get(key, async () => {
      reads.push(key)
      return Buffer.alloc(bytes)
    })
  for (const key of ['a', 'b', 'a', 'c']) await get(key, 4_000)
  expect(cache.sizeBytes).toBeLessThanOrEqual(10_000)
  await get('a', 4_000)
  await get('b', 4_000)
  await get('large', 7_000)
  await get('large', 7_000)
  expect(reads).toEqual(['a', 'b', 'c', 'b', 'large', 'large'])
  expect(cache.sizeBytes).toBeLessThanOrEqual(10_000)
})

test('a part of a larger buffer does not keep the rest of it in memory', async () => {
  const cache = new ContentCache(1_000_000)
  const part = Buffer.alloc(100_000, 'x').subarray(0, 5_000)
  const kept = await cache.get('a', async () => part)
  expect([kept.equals(part), kept.buffer.byteLength]).toEqual([true, 5_000])
})
