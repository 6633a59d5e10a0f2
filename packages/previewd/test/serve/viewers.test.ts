import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createViewers } from '../../src/serve/viewers.ts'

const NOW_MS = Date.parse('2026-01-01T00:00:00Z')

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const report = (revision: number, errors = 0, visible = true) => ({ revision, errors, visible })

test('pages are counted for each project, and those who listen are told', () => {
  const viewers = createViewers()
  const told: string[] = []
  const stop = viewers.listen((project) => told.push(`${project} ${viewers.count(project)}`))
  const page = viewers.enter('demo')
  viewers.enter('other')
  page?.leave()
  vi.runAllTimers()
  stop()
  viewers.enter('demo')
  expect(told).toEqual(['demo 1', 'other 1', 'demo 1', 'demo 0'])
  expect(viewers.count('demo')).toBe(1)
})

test('a page that is reloaded counts all the time, and once; one that stays away is gone after a moment', () => {
  const viewers = createViewers()
  const counted: number[] = []
  viewers.listen((project) => counted.push(viewers.count(project)))
  const page = viewers.enter('demo')
  page?.leave()
  vi.advanceTimersByTime(1900)
  const reloaded = viewers.enter('demo')
  vi.advanceTimersByTime(10_000)
  expect(viewers.count('demo')).toBe(1)
  reloaded?.leave()
  expect(viewers.count('demo')).toBe(1)
  vi.advanceTimersByTime(2000)
  expect(viewers.count('demo')).toBe(0)
  expect(counted).toEqual([1, 1, 1, 1, 0])
})

test('a page that is back before its old self has left counts once', () => {
  const viewers = createViewers()
  const old = viewers.enter('demo')
  viewers.enter('demo')
  old?.leave()
  expect(viewers.count('demo')).toBe(1)
})

test('a project whose page shows the build changes over until a page of the session is painted, or none is left', () => {
  const viewers = createViewers()
  const isChangingOver = () => viewers.isChangingOver('demo', 'first')
  const build = viewers.enter('demo')
  expect(isChangingOver()).toBe(false)
  build?.shows('build')
  build?.report(report(1))
  build?.leave()
  const next = viewers.enter('demo')
  next?.shows('session', 'first')
  expect(isChangingOver()).toBe(true)
  next?.report(report(1))
  build?.shows('build')
  expect(isChangingOver()).toBe(false)
  next?.shows('build')
  next?.leave()
  expect(isChangingOver()).toBe(true)
  vi.advanceTimersByTime(2000)
  expect(isChangingOver()).toBe(false)
})

test('a page of a dev server that is gone changes over until one of the next is painted', () => {
  const viewers = createViewers()
  const [old, next] = [viewers.enter('demo'), viewers.enter('demo')]
  old?.shows('session', 'first')
  expect(viewers.isChangingOver('demo', 'first')).toBe(false)
  next?.shows('session', 'second')
  expect(viewers.isChangingOver('demo', 'second')).toBe(true)
  const told = vi.fn()
  viewers.listen(told)
  next?.report({ ...report(1), visible: false })
  expect(told).toHaveBeenCalledWith('demo')
  expect(viewers.isChangingOver('demo', 'second')).toBe(false)
})

test('the newest revision that was painted is kept, with the time and the last word on its errors', () => {
  const viewers = createViewers({ now: () => NOW_MS })
  const page = viewers.enter('demo')
  expect(viewers.painted('demo')).toBeUndefined()
  page?.report(report(2))
  page?.report(report(1, 5))
  expect(viewers.painted('demo')).toEqual({ ...report(2), at: '2026-01-01T00:00:00.000Z' })
  page?.report(report(2, 3))
  expect(viewers.painted('demo')).toMatchObject({ revision: 2, errors: 3 })
  viewers.forget('demo')
  expect(viewers.painted('demo')).toBeUndefined()
})

test('a hidden page does not take the word of one that is seen, but has it for a newer revision', () => {
  const viewers = createViewers()
  const page = viewers.enter('demo')
  page?.report(report(1, 0, false))
  page?.report(report(1, 1, true))
  page?.report(report(1, 7, false))
  expect(viewers.painted('demo')).toMatchObject(report(1, 1, true))
  page?.report(report(2, 0, false))
  expect(viewers.painted('demo')).toMatchObject(report(2, 0, false))
})

test('an error of one page is not outspoken by another of the same revision, until it heals or leaves', () => {
  const viewers = createViewers()
  const [one, other] = [viewers.enter('demo'), viewers.enter('demo')]
  one?.report(report(1, 2))
  other?.report(report(1))
  expect(viewers.painted('demo')).toMatchObject(report(1, 2))
  one?.report(report(1))
  expect(viewers.painted('demo')).toMatchObject(report(1, 0))
  one?.report(report(2, 1))
  one?.leave()
  other?.report(report(2))
  expect(viewers.painted('demo')).toMatchObject(report(2, 0))
})

test('a project has no more than 256 pages, and its reports no more than 2000 projects', () => {
  const viewers = createViewers()
  const pages = Array.from({ length: 256 }, () => viewers.enter('demo'))
  expect(viewers.enter('demo')).toBeUndefined()
  pages[0]?.leave()
  expect(viewers.enter('demo')).toBeDefined()
  for (let at = 0; at <= 2000; at++) {
    const page = viewers.enter(`project-${at}`)
    page?.report(report(1))
    page?.leave()
  }
  expect(viewers.painted('project-0')).toBeUndefined()
  expect(viewers.painted('project-1')).toBeDefined()
})
