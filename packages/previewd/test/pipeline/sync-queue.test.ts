import { describe, expect, it } from 'vitest'
import { SyncQueue } from '../../src/pipeline/sync-queue.ts'

/** A queue whose runs end when the test says so. */
function openQueue() {
  const runs: {
    project: string
    request: string
    signal: AbortSignal
    end: (text: string) => void
    fail: (cause: Error) => void
  }[] = []
  const queue = new SyncQueue<string, string>({
    run: (project, request, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
        runs.push({ project, request, signal, end: resolve, fail: reject })
      }),
    join: (a, b) => `${a}+${b}`,
    laneOf: (project) => project.split('-')[0] ?? '',
  })
  return { queue, runs }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the queue of syncs', () => {
  it('runs one for a project and joins all that is asked for meanwhile into one more', async () => {
    const { queue, runs } = openQueue()
    const first = queue.add('a', '1')
    await turn()
    const others = ['2', '3', '4'].map((request) => queue.add('a', request))
    await turn()
    expect(runs.map(({ request }) => request)).toEqual(['1'])
    runs[0]?.end('one')
    expect(await first).toBe('one')
    await turn()
    expect(runs.map(({ request }) => request)).toEqual(['1', '2+3+4'])
    runs[1]?.end('rest')
    expect(await Promise.all(others)).toEqual(['rest', 'rest', 'rest'])
  })

  it('goes on after a run that fails, and tells only those who asked for it', async () => {
    const { queue, runs } = openQueue()
    const first = queue.add('a', '1')
    const failure = expect(first).rejects.toThrow('broken')
    await turn()
    const second = queue.add('a', '2')
    runs[0]?.fail(new Error('broken'))
    await failure
    await turn()
    runs[1]?.end('two')
    expect(await second).toBe('two')
  })

  it('keeps a lane that hangs from holding up another', async () => {
    const { queue, runs } = openQueue()
    for (let at = 0; at < 20; at++) queue.add(`slow-${at}`, 'x').catch(() => 'closed')
    await turn()
    const begun = runs.length
    expect(begun).toBeLessThan(20)
    const quick = queue.add('quick-1', 'y')
    await turn()
    expect(runs.at(-1)?.project).toBe('quick-1')
    runs.at(-1)?.end('done')
    expect(await quick).toBe('done')
    await queue.close()
  })

  it('ends what runs and what waits for a project that is deleted, also where its lane hangs', async () => {
    const { queue, runs } = openQueue()
    const deleted = (asked: Promise<unknown>) =>
      expect(asked).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })
    const both = [deleted(queue.add('lane-0', '1'))]
    await turn()
    both.push(deleted(queue.add('lane-0', '2')))
    await queue.clear('lane-0')
    await Promise.all(both)
    expect(runs).toHaveLength(1)
    for (let at = 1; at < 20; at++) queue.add(`lane-${at}`, 'x').catch(() => 'closed')
    await turn()
    const inLane = deleted(queue.add('lane-20', '1'))
    await turn()
    await queue.clear('lane-20')
    await inLane
    await queue.close()
  })

  it('serves a project that is made anew while its lane hangs', async () => {
    const { queue, runs } = openQueue()
    for (let at = 0; at < 20; at++) queue.add(`lane-${at}`, 'x').catch(() => 'closed')
    await turn()
    queue.add('lane-20', 'old').catch(() => 'deleted')
    await turn()
    await queue.clear('lane-20')
    const anew = queue.add('lane-20', 'new')
    while (!runs.some(({ project }) => project === 'lane-20')) {
      for (const { end } of runs) end('done')
      await turn()
    }
    runs.at(-1)?.end('new one')
    expect(await anew).toBe('new one')
    expect(runs.filter(({ project }) => project === 'lane-20').map(({ request }) => request)).toEqual(['new'])
    await queue.close()
  })

  it('refuses more, and ends what runs, when it closes', async () => {
    const { queue } = openQueue()
    const running = expect(queue.add('a', '1')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await turn()
    const waiting = expect(queue.add('a', '2')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await queue.close()
    await Promise.all([running, waiting])
    await expect(queue.add('a', '3')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
})
