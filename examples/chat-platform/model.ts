import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** What this model knows to say, one answer after the other. The third has a mistake in it. */
const ANSWERS = ['1-hikes.txt', '2-filter.txt', '3-weather.txt', '4-mended.txt']

const TOKEN_MS = Number(process.env.TOKEN_MS ?? 15)

/** Stands for a language model: streams its answer to the last of the messages token by token. */
export async function* answerTo(messages: readonly string[]): AsyncGenerator<string> {
  const answer = ANSWERS[messages.length - 1]
  const text = answer
    ? await readFile(new URL(`model/${answer}`, import.meta.url), 'utf8')
    : 'That was all I know.\n'
  for (const token of text.match(/\s*\S{1,8}\s?/g) ?? []) {
    await delay(TOKEN_MS)
    yield token
  }
}
