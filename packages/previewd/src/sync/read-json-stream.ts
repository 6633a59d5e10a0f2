import { PreviewdError } from '../errors.ts'
import { JsonReader, JsonSyntaxError } from '../lib/json-reader.ts'
import type { ChangeCollector } from './change-collector.ts'
import { badMember, checkEncoding, decodeBase64, unknownMember } from './json-members.ts'
import type { Kept } from './spool.ts'

/** A path of the longest kind, all of it escaped. */
const MAX_NAME_BYTES = 8 * 1024

/** Like readJson, for bodies that are too large to be parsed at once: contents go to the collector as they come. */
export async function readJsonStream(
  source: AsyncIterable<Buffer>,
  collector: ChangeCollector,
): Promise<void> {
  try {
    const reader = new JsonReader(source)
    await expect(reader, '{', 'The body has to be a JSON object.')
    await reader.object((name) => readMember(reader, collector, name), MAX_NAME_BYTES)
    await reader.end()
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new PreviewdError('INVALID_JSON', `${error.message}.`, { cause: error })
  }
}

async function readMember(reader: JsonReader, collector: ChangeCollector, name: string): Promise<void> {
  switch (name) {
    case 'files':
      await expect(reader, '{', '"files" has to be an object of paths and contents.')
      await reader.object((path) => readFile(reader, collector, path), MAX_NAME_BYTES)
      return
    case 'deleted':
      await expect(reader, '[', '"deleted" has to be a list of paths.')
      await reader.array(async () => {
        await expect(reader, '"', '"deleted" has to be a list of paths.')
        collector.addDeleted(await reader.string(MAX_NAME_BYTES))
      })
      return
    case 'baseRevision': {
      const first = await reader.peek()
      collector.setBaseRevision(/[[{"]/.test(first) ? undefined : await reader.scalar())
      return
    }
    default:
      throw unknownMember(name)
  }
}

async function readFile(reader: JsonReader, collector: ChangeCollector, path: string): Promise<void> {
  collector.checkNext(path)
  if ((await reader.peek()) === '"') {
    await collector.addFile(path, reader.content())
    return
  }
  const what = `"files" has ${JSON.stringify(path)}`
  await expect(reader, '{', `${what} that is neither text nor {encoding, content}.`)
  let encoding: string | undefined
  let kept: Kept | undefined
  const onMember = async (name: string) => {
    await expect(reader, '"', `${what} with "${name}" that is no text.`)
    if (name === 'encoding') encoding = checkEncoding(path, await reader.string(MAX_NAME_BYTES))
    else if (name === 'content') kept = await keepText(reader, collector, path)
    else throw unknownMember(name)
  }
  await reader.object(onMember, MAX_NAME_BYTES)
  if (kept === undefined) throw badMember(`${what} without "content".`)
  const text = collector.spool.read(kept)
  await collector.addFile(path, encoding === 'base64' ? decodeAll(path, text) : text)
}

/** The encoding may stand after the content, so the text is kept as it is first. */
async function keepText(reader: JsonReader, collector: ChangeCollector, path: string): Promise<Kept> {
  const limitBytes = Math.ceil(collector.limits.fileBytes / 3) * 4
  return collector.spool.keep(reader.content(), (sizeBytes) => {
    if (sizeBytes > limitBytes) collector.checkSize(path, sizeBytes)
  })
}

/** Refuses a value of another type by name; what is no value at all is left to the reader. */
async function expect(reader: JsonReader, first: string, detail: string): Promise<void> {
  const found = await reader.peek()
  if (found !== first && /[[{"tfn\d-]/.test(found)) throw badMember(detail)
  if (found !== first) await reader.take(first)
}

async function* decodeAll(
  path: string,
  text: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  let rest = ''
  let ended = false
  for await (const chunk of text) {
    const all = rest + chunk.toString('latin1')
    const whole = all.slice(0, all.length - (all.length % 4))
    rest = all.slice(whole.length)
    if (whole === '') continue
    if (ended) decodeBase64(path, '=')
    ended = whole.endsWith('=')
    yield decodeBase64(path, whole)
  }
  if (rest !== '') decodeBase64(path, rest)
}
