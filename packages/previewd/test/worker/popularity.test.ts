import { describe, expect, it } from 'vitest'
import { Popularity } from '../../src/worker/popularity.ts'

const MINUTE_MS = 60_000

function underTest() {
  let now = 0
  const popularity = new Popularity<{ name: string }>(() => now)
  return {
    use: (...names: string[]) => {
      for (const name of names) popularity.use(name, { name })
    },
    pass: (ms: number) => {
      now += ms
    },
    forget: (name: string) => popularity.forget(name),
    ranked: () => popularity.ranked().map(({ name }) => name),
  }
}

describe('popularity', () => {
  it('ranks by how often something was used', () => {
    const { use, ranked } = underTest()
    use('a', 'b', 'b', 'c', 'b', 'c')
    expect(ranked()).toEqual(['b', 'c', 'a'])
  })

  it('counts less what is long ago', () => {
    const { use, pass, ranked } = underTest()
    use('a', 'a', 'a')
    pass(9 * MINUTE_MS)
    use('b', 'b')
    expect(ranked()).toEqual(['b', 'a'])
  })

  it('forgets what nobody has used for ten minutes, and what it is told to forget', () => {
    const { use, pass, forget, ranked } = underTest()
    use('a', 'a', 'a')
    pass(6 * MINUTE_MS)
    use('b', 'c')
    pass(5 * MINUTE_MS)
    forget('c')
    expect(ranked()).toEqual(['b'])
  })

  it('remembers no more than it has room for', () => {
    const { use, ranked } = underTest()
    for (let index = 0; index < 1000; index++) use(String(index))
    expect(ranked().length).toBeLessThan(100)
    expect(ranked()).toContain('999')
  })
})
