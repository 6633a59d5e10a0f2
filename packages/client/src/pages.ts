import type { CallOptions } from './options.ts'
import type { Transport } from './transport.ts'

const PAGE_ITEMS = 100

/** The items of every page of a list, asked for as they are taken. */
export async function* allPages<T>(
  transport: Transport,
  path: string,
  options: CallOptions,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined
  do {
    const query = { limit: PAGE_ITEMS, cursor }
    const { body } = await transport.json<{ items: T[]; nextCursor: string | null }>(path, {
      ...options,
      query,
    })
    yield* body.items
    cursor = body.nextCursor ?? undefined
  } while (cursor !== undefined)
}
