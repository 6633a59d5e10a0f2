import { expect, test } from 'vitest'
import { ByteRoom } from '../../src/lib/byte-room.ts'

test('there is room for so many bytes and no more, until some are given back', () => {
  const room = new ByteRoom(100)
  const first = room.take(60)
  expect(room.take(41)).toBeUndefined()
  first?.shrinkTo(10)
  const second = room.take(90)
  expect(second).toBeDefined()
  first?.shrinkTo(50)
  expect(room.take(1)).toBeUndefined()
  first?.[Symbol.dispose]()
  first?.[Symbol.dispose]()
  expect(room.take(11)).toBeUndefined()
  expect(room.take(10)).toBeDefined()
})
