const KEY_NAME = 'previewd-key'
const RECONNECT_MS = 1000

/** The server refused the key, or there was none. */
export class KeyNeeded extends Error {}

/** The server said no to this call, and would again. */
export class Refused extends Error {}

export function readKey() {
  return sessionStorage.getItem(KEY_NAME)
}

export function storeKey(key) {
  sessionStorage.setItem(KEY_NAME, key)
}

/** One call of the API; rejects with the problem's sentence. */
export async function call(path, options = {}) {
  const response = await send(path, options)
  return response.status === 204 ? undefined : response.json()
}

/**
 * Calls `onEvent({event, id, data})` for each server-sent event until the stream ends or the signal aborts. Not
 * EventSource: that cannot send a key.
 */
export async function readStream(path, { signal, lastId, onOpen, onEvent }) {
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
  const response = await send(path, { signal, headers })
  onOpen?.()
  let rest = ''
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop()
    for (const block of blocks) {
      const event = parse(block)
      if (event) onEvent(event)
    }
  }
}

/** The same for as long as the signal lets it, continuing where a connection broke. */
export async function followStream(path, { signal, onState, onEvent }) {
  let lastId
  while (!signal.aborted) {
    try {
      await readStream(path, {
        signal,
        lastId,
        onOpen: () => onState('live'),
        onEvent(event) {
          lastId = event.id ?? lastId
          onEvent(event)
        },
      })
    } catch (error) {
      if (error instanceof KeyNeeded || error instanceof Refused) throw error
    }
    if (signal.aborted) return
    onState('reconnecting')
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
  }
}

async function send(path, { method = 'GET', body, signal, headers = {} }) {
  const key = readKey()
  const response = await fetch(path, {
    method,
    signal,
    headers: {
      ...headers,
      ...(key && { authorization: `Bearer ${key}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (response.status === 401) throw new KeyNeeded()
  if (response.ok) return response
  const problem = await response.json().catch(() => ({}))
  throw new Refused(problem.detail ?? `The server answered ${response.status}.`)
}

function parse(block) {
  const fields = new Map()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2))
  }
  if (!fields.has('data')) return undefined
  return { event: fields.get('event'), id: fields.get('id'), data: JSON.parse(fields.get('data')) }
}
