import { describe, expect, it } from 'vitest'
import { assertListenable } from '../../src/access/listen.ts'

describe('listening without a key', () => {
  it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('is allowed on %s', (host) => {
    expect(() => assertListenable({ host, apiKey: undefined })).not.toThrow()
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', '192.168.1.1', 'example.org', '127.0.0.1.example.org', ''])(
    'is refused on "%s"',
    (host) => {
      expect(() => assertListenable({ host, apiKey: undefined })).toThrow(/PREVIEWD_API_KEY/)
    },
  )

  it('is no question with a key', () => {
    expect(() => assertListenable({ host: '0.0.0.0', apiKey: 'k'.repeat(16) })).not.toThrow()
  })
})
