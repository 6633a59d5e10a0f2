import type { lookup } from 'node:dns'
import { expect, test } from 'vitest'
import { cachedLookup } from '../../src/environment/cached-lookup.ts'

type Answer = (error: Error | null, address: string, family?: number) => void

/** A resolver whose questions the test answers. */
function makeResolver() {
  const questions: { name: string; answer: Answer }[] = []
  const resolve = ((name: string, _options: object, answer: Answer) => {
    questions.push({ name, answer })
  }) as unknown as typeof lookup
  const find = cachedLookup(resolve)
  const ask = (name: string) =>
    new Promise<string>((fulfil, reject) => {
      find(name, {}, (error, address) => (error ? reject(error) : fulfil(address as string)))
    })
  return { questions, ask }
}

test('Those who ask for one name at once share one look-up, and later ones need none', async () => {
  const { questions, ask } = makeResolver()
  const asked = [ask('a.example'), ask('a.example'), ask('b.example')]
  expect(questions.map(({ name }) => name)).toEqual(['a.example', 'b.example'])
  for (const { name, answer } of questions) answer(null, `address of ${name}`, 4)
  expect(await Promise.all(asked)).toEqual([
    'address of a.example',
    'address of a.example',
    'address of b.example',
  ])
  expect(await ask('a.example')).toBe('address of a.example')
  expect(questions.length).toBe(2)
})

test('A failure reaches all who asked and is not remembered', async () => {
  const { questions, ask } = makeResolver()
  const asked = [ask('a.example'), ask('a.example')]
  questions[0]?.answer(new Error('no such name'), '')
  expect(await Promise.allSettled(asked)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  const again = ask('a.example')
  questions[1]?.answer(null, 'found', 4)
  expect(await again).toBe('found')
})
