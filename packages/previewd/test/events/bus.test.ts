import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createEventBus } from '../../src/events/bus.ts'
import { LaggedError, type ProjectEvent } from '../../src/model/event.ts'

async function take(events: AsyncIterable<ProjectEvent>, count: number): Promise<unknown[]> {
  const taken: unknown[] = []
  for await (const event of events) {
    taken.push(event.data)
    if (taken.length === count) break
  }
  return taken
}

const forever = new AbortController().signal

describe('the event bus', () => {
  it('gives live events of the project asked for, and of no other', async () => {
    const bus = createEventBus()
    const events = bus.subscribe({ project: 'a', signal: forever })
    bus.publish('build', 'b', 'other')
    bus.publish('build', 'a', 'mine')
    expect(await take(events, 1)).toEqual(['mine'])
  })

  it('gives events of every project where none is named', async () => {
    const bus = createEventBus()
    bus.publish('build', 'a', 1)
    bus.publish('build', 'b', 2)
    const events = bus.subscribe({ after: 0, signal: forever })
    bus.publish('build', 'c', 3)
    expect(await take(events, 3)).toEqual([1, 2, 3])
  })

  it('replays what is newer than an id and goes on live without a gap or a repeat', async () => {
    const bus = createEventBus()
    const seen: number[] = []
    bus.listen((event) => seen.push(event.id))
    for (const data of [1, 2, 3]) bus.publish('status', 'a', data)
    const events = bus.subscribe({ project: 'a', after: seen[0] as number, signal: forever })
    bus.publish('status', 'a', 4)
    expect(await take(events, 3)).toEqual([2, 3, 4])
  })

  it('replays nothing where no id is given', async () => {
    const bus = createEventBus()
    bus.publish('status', 'a', 'old')
    const events = bus.subscribe({ project: 'a', signal: forever })
    bus.publish('status', 'a', 'new')
    expect(await take(events, 1)).toEqual(['new'])
  })

  it('gives ids that grow, also those of the next start', () => {
    const ids: number[] = []
    let now = 1_800_000_000_000
    const first = createEventBus({ now: () => now })
    first.listen((event) => ids.push(event.id))
    for (let count = 0; count < 100; count += 1) first.publish('log', 'a', count)
    now += 1
    const second = createEventBus({ now: () => now })
    second.listen((event) => ids.push(event.id))
    second.publish('log', 'a', 'after the restart')
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    expect(new Set(ids).size).toBe(101)
  })

  it('keeps the newest events of a project up to a number', async () => {
    const bus = createEventBus({ projectEvents: 3 })
    for (const data of [1, 2, 3, 4, 5]) bus.publish('log', 'a', data)
    expect(await take(bus.subscribe({ project: 'a', after: 0, signal: forever }), 3)).toEqual([3, 4, 5])
  })

  it('keeps the newest events of a project up to a number of bytes', async () => {
    const bus = createEventBus({ projectBytes: 1000 })
    for (const mark of ['a', 'b', 'c']) bus.publish('log', 'a', mark.repeat(400))
    bus.publish('log', 'a', 'x'.repeat(2000))
    const kept = await take(bus.subscribe({ project: 'a', after: 0, signal: forever }), 2)
    expect(kept).toEqual(['b'.repeat(400), 'c'.repeat(400)])
  })

  it('forgets the project that was quiet for longest where all together are too many', async () => {
    const bus = createEventBus({ totalBytes: 1200 })
    bus.publish('log', 'quiet', 'x'.repeat(400))
    bus.publish('log', 'busy', 'y'.repeat(400))
    bus.publish('log', 'busy', 'z'.repeat(400))
    const kept = await take(bus.subscribe({ after: 0, signal: forever }), 2)
    expect(kept).toEqual(['y'.repeat(400), 'z'.repeat(400)])
  })

  it('forgets a deleted project', async () => {
    const bus = createEventBus()
    bus.publish('log', 'a', 'secret of the one before')
    bus.forget('a')
    const events = bus.subscribe({ project: 'a', after: 0, signal: forever })
    bus.publish('log', 'a', 'new')
    expect(await take(events, 1)).toEqual(['new'])
  })

  it('ends a reader that falls too far behind, after what was queued', async () => {
    const bus = createEventBus({ queuedEvents: 2 })
    const events = bus.subscribe({ project: 'a', signal: forever })
    for (const data of [1, 2, 3, 4]) bus.publish('log', 'a', data)
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const event of events) seen.push(event.data)
    })()
    await expect(reading).rejects.toBeInstanceOf(LaggedError)
    expect(seen).toEqual([1, 2])
  })

  it('ends the iteration when the signal aborts, also of a reader that waits', async () => {
    const bus = createEventBus()
    const gone = new AbortController()
    const reading = take(bus.subscribe({ project: 'a', signal: gone.signal }), 1)
    await delay(0)
    gone.abort()
    expect(await reading).toEqual([])
  })

  it('gives nothing to a reader whose signal was aborted before', async () => {
    const bus = createEventBus()
    bus.publish('log', 'a', 1)
    expect(await take(bus.subscribe({ after: 0, signal: AbortSignal.abort() }), 1)).toEqual([])
  })

  it('calls listeners at once until they end it', () => {
    const bus = createEventBus()
    const heard: unknown[] = []
    const stop = bus.listen((event) => heard.push(event.data))
    bus.publish('log', 'a', 1)
    stop()
    bus.publish('log', 'a', 2)
    expect(heard).toEqual([1])
  })
})
