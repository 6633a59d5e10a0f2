import { expect, test } from 'vitest'
import { SingleFlight } from '../../src/environment/single-flight.ts'

test('Work on one key runs once, and everybody hears of its progress', async () => {
  const flights = new SingleFlight<string>()
  const heard: string[] = []
  let runs = 0
  const work = async ({ onLog }: { onLog: ((line: string) => void) | undefined }) => {
    runs++
    await Promise.resolve()
    onLog?.('half')
    return 'done'
  }
  const both = [
    flights.run('key', { onLog: (line) => heard.push(`left ${line}`) }, work),
    flights.run('key', { onLog: (line) => heard.push(`right ${line}`) }, work),
  ]
  expect(await Promise.all(both)).toEqual(['done', 'done'])
  expect([runs, heard]).toEqual([1, ['left half', 'right half']])
  await flights.run('key', {}, work)
  expect(runs).toBe(2)
})

test('The work is aborted when the last who waits has left, and not before', async () => {
  const flights = new SingleFlight<string>()
  const { promise, resolve } = Promise.withResolvers<string>()
  let shared: AbortSignal | undefined
  const work = ({ signal }: { signal: AbortSignal }) => {
    shared = signal
    return promise
  }
  const controllers = [new AbortController(), new AbortController()] as const
  const runs = controllers.map(({ signal }) => flights.run('key', { signal }, work))
  const settled = Promise.allSettled(runs)
  controllers[0].abort(new Error('first left'))
  await expect(runs[0]).rejects.toThrow('first left')
  expect(shared?.aborted).toBe(false)
  controllers[1].abort(new Error('second left'))
  await settled
  expect(shared?.aborted).toBe(true)
  resolve('late')
})

test('A failure is not kept', async () => {
  const flights = new SingleFlight<string>()
  await expect(flights.run('key', {}, () => Promise.reject(new Error('down')))).rejects.toThrow('down')
  expect(await flights.run('key', {}, () => Promise.resolve('up'))).toBe('up')
})
