import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Scheduler, type Ticket } from '../../src/pipeline/scheduler.ts'

interface Run {
  ticket: Ticket
  /** Revision when it started. */
  revision: number
  signal: AbortSignal
  end: () => void
}

/** A scheduler whose runs end when the test says so. */
function scheduling(concurrency: number, queueLimit = 1000) {
  const active: Run[] = []
  const started: Run[] = []
  let count = 0
  const scheduler = new Scheduler<Ticket>({
    concurrency,
    queueLimit,
    run: (ticket, signal) =>
      new Promise((resolve) => {
        const run: Run = { ticket, revision: ticket.revision, signal, end: () => finish(run, resolve) }
        active.push(run)
        started.push(run)
      }),
  })
  function finish(run: Run, resolve: (rest: undefined) => void) {
    active.splice(active.indexOf(run), 1)
    resolve(undefined)
  }
  const request = (project: string, revision: number) =>
    scheduler.request(project, revision, () => ({ project, revision, buildId: `b${++count}` }))
  return { scheduler, active, started, request }
}

/** Lets every promise that is settled run its reactions. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('Scheduler', () => {
  it('never runs a project twice, keeps the bounds, and builds the last revision of each', async () => {
    const projects = ['a', 'b', 'c']
    const action = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), project: fc.constantFrom(...projects) }),
      fc.record({ kind: fc.constant('end' as const), nth: fc.nat(5) }),
      fc.record({ kind: fc.constant('settle' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(action, { maxLength: 60 }),
        async (concurrency, actions) => {
          const { active, started, request } = scheduling(concurrency)
          const revisions = new Map<string, number>()
          const checkBounds = () => {
            expect(active.length).toBeLessThanOrEqual(concurrency)
            expect(new Set(active.map(({ ticket }) => ticket.project)).size).toBe(active.length)
          }
          for (const step of actions) {
            if (step.kind === 'push') {
              const revision = (revisions.get(step.project) ?? 0) + 1
              revisions.set(step.project, revision)
              request(step.project, revision)
            } else if (step.kind === 'end') active[step.nth % Math.max(1, active.length)]?.end()
            else await settled()
            checkBounds()
          }
          for (await settled(); active.length > 0; await settled()) {
            checkBounds()
            active[0]?.end()
          }
          for (const [project, revision] of revisions) {
            const last = started.findLast(({ ticket }) => ticket.project === project)
            expect(last?.revision).toBe(revision)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('answers a burst of a hundred revisions with at most two more builds', async () => {
    const { active, started, request } = scheduling(2)
    request('a', 1)
    await settled()
    for (let revision = 2; revision <= 101; revision++) request('a', revision)
    for (await settled(); active.length > 0; await settled()) active[0]?.end()
    expect(started.map(({ revision }) => revision)).toEqual([1, 101])
  })

  it('lets projects take turns: one that has just been built waits behind the others', async () => {
    const { active, started, request } = scheduling(1)
    request('a', 1)
    await settled()
    request('a', 2)
    request('b', 1)
    request('c', 1)
    for (await settled(); active.length > 0; await settled()) active[0]?.end()
    expect(started.map(({ ticket }) => ticket.project)).toEqual(['a', 'b', 'c', 'a'])
  })

  it('joins the running build where it has the revision', async () => {
    const { request } = scheduling(1)
    const first = request('a', 1)
    await settled()
    expect(request('a', 1)).toBe(first)
    expect(request('a', 2)).not.toBe(first)
  })

  it('drops the waiting build when the running one turns out to have its revision', async () => {
    const { scheduler, active, started, request } = scheduling(1)
    const first = request('a', 1)
    await settled()
    const second = request('a', 2)
    expect(scheduler.covers(first, 2)).toBe(second)
    for (await settled(); active.length > 0; await settled()) active[0]?.end()
    expect(started).toHaveLength(1)
  })

  it('refuses a project that would be one too many in the line, but not one that already waits', async () => {
    const { scheduler, request } = scheduling(1, 1)
    request('a', 1)
    await settled()
    request('b', 1)
    expect(() => scheduler.checkRoom('c')).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }))
    expect(() => scheduler.checkRoom('b')).not.toThrow()
  })

  it('takes a waiting build out of the line and aborts a running one', async () => {
    const { scheduler, active, started, request } = scheduling(1)
    const running = request('a', 1)
    await settled()
    const waiting = request('a', 2)
    expect(scheduler.cancel('a', waiting.buildId)).toBe(waiting)
    scheduler.cancel('a', running.buildId)
    expect(active[0]?.signal.aborted).toBe(true)
    active[0]?.end()
    await settled()
    expect(started).toHaveLength(1)
  })

  it('keeps what is left of runs within one worker more than builds, and interrupts it for the next build', async () => {
    const interrupted: string[] = []
    const ends: (() => void)[] = []
    let running = 0
    const scheduler = new Scheduler<Ticket>({
      concurrency: 1,
      queueLimit: 10,
      run: async ({ buildId }) => {
        running++
        const { promise, resolve } = Promise.withResolvers<void>()
        ends.push(resolve)
        return {
          done: promise.then(() => void running--),
          interrupt: () => {
            interrupted.push(buildId)
            resolve()
          },
        }
      },
    })
    for (const project of ['a', 'b', 'c']) {
      scheduler.request(project, 1, () => ({ project, revision: 1, buildId: `${project}1` }))
    }
    await settled()
    expect(running).toBe(2)
    scheduler.request('a', 2, () => ({ project: 'a', revision: 2, buildId: 'a2' }))
    await settled()
    expect(interrupted).toEqual(['a1'])
    expect(scheduler.waiting('c')).toBeUndefined()
    for (const end of ends) end()
  })
})
