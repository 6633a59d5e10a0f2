import { expect, it, onTestFinished } from 'vitest'
import { MemoryBudget } from '../../src/memory-budget.ts'

function budget(totalBytes: number, readings: { used: () => Promise<number>; available: () => number }) {
  const errors: unknown[] = []
  const memory = new MemoryBudget(totalBytes, {
    usedBytes: readings.used,
    availableBytes: readings.available,
    onError: (error) => errors.push(error),
  })
  onTestFinished(() => memory.stop())
  return { memory, errors }
}

it('leaves what is not used of its own part, or what the machine has where that is less', async () => {
  let available = 5000
  const { memory } = budget(1000, { used: async () => 300, available: () => available })
  expect(memory.leftBytes()).toBe(1000)
  await memory.look()
  expect(memory.leftBytes()).toBe(700)
  available = 100
  expect(memory.leftBytes()).toBe(100)
})

it('goes below zero where more is used than there should be, and keeps the last look where one fails', async () => {
  const readings = [async () => 1200, async () => Promise.reject(new Error('no such group'))]
  const { memory, errors } = budget(1000, {
    used: () => (readings.shift() ?? (async () => 0))(),
    available: () => 5000,
  })
  await memory.look()
  await memory.look()
  expect(memory.leftBytes()).toBe(-200)
  expect(errors).toMatchObject([{ message: 'no such group' }])
})
