import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeFrame,
  FRAME_CHUNK,
  FRAME_MESSAGE,
  FrameReader,
  MAX_FRAME_BYTES,
} from '../../src/worker/protocol.ts'

describe('a frame reader', () => {
  it('gives back the frames that were written, however the bytes arrive', () => {
    const frames = fc.array(
      fc.record({
        kind: fc.constantFrom(FRAME_MESSAGE, FRAME_CHUNK),
        body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      }),
    )
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ kind, body }) => encodeFrame(kind, Buffer.from(body))))
        const reader = new FrameReader()
        const received: { kind: number; body: Uint8Array }[] = []
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1
          for (const { kind, body } of reader.read(bytes.subarray(start, start + length))) {
            received.push({ kind, body: new Uint8Array(body) })
          }
          start += length
        }
        expect(received).toEqual(sent.map(({ kind, body }) => ({ kind, body: new Uint8Array(body) })))
      }),
    )
  })

  it('neither writes nor reads frames above the limit', () => {
    expect(() => encodeFrame(FRAME_CHUNK, Buffer.alloc(MAX_FRAME_BYTES + 1))).toThrow()
    const header = Buffer.from([0, 0x10, 0, 1, FRAME_CHUNK])
    expect(() => [...new FrameReader().read(header)]).toThrow('a frame of 1048577 bytes')
  })
})
