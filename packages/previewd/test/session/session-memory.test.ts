import { describe, expect, it } from 'vitest'
import { fitsAnother, shortage } from '../../src/session/session-memory.ts'

const MIB = 1024 * 1024

describe('the memory of sessions', () => {
  it('has room for another one where that would need what the others hold, and some stays free', () => {
    expect(fitsAnother(448 * MIB, [], 0)).toBe(true)
    expect(fitsAnother(447 * MIB, [], 0)).toBe(false)
    const held = [300 * MIB, 500 * MIB]
    expect(fitsAnother(656 * MIB, held, 0)).toBe(true)
    expect(fitsAnother(655 * MIB, held, 0)).toBe(false)
  })

  it('counts those that are only starting as if they had grown', () => {
    expect(fitsAnother(1056 * MIB, [400 * MIB], 1)).toBe(true)
    expect(fitsAnother(1055 * MIB, [400 * MIB], 1)).toBe(false)
  })

  it('is short before the kernel is, first for sessions that nobody looks at', () => {
    expect([256, 255, 128, 127, -1].map((left) => shortage(left * MIB))).toEqual([
      'none',
      'unwatched',
      'unwatched',
      'any',
      'any',
    ])
  })
})
