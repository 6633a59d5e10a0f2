/** The part of a Vite server that tells pages to load anew. */
interface TellingServer {
  ws: {
    send(...payload: unknown[]): void
    on(event: string, listener: (data: unknown, client: { send(payload: object): void }) => void): void
  }
}

/** What a page says once it is connected: how many reloads had been told before it was loaded. */
const LOADED_EVENT = 'previewd:loaded'

/**
 * Counts the reloads that pages are told of. Vite tells those that are connected; one that has asked for modules and is
 * not connected yet would wait for ever for what it can get no more, such as dependencies under the names they had. So
 * each page knows the number from before its modules, and is told again where it has grown since.
 */
export class Reloads {
  #count = 0

  /** `onReload` is called before pages are told: from then on they load with another number. */
  follow({ ws }: TellingServer, onReload: () => void): void {
    const send = ws.send
    ws.send = (...payload) => {
      if (isReload(payload[0])) {
        this.#count++
        onReload()
      }
      send.apply(ws, payload)
    }
    ws.on(LOADED_EVENT, (count, client) => {
      if (typeof count === 'number' && count < this.#count) client.send({ type: 'full-reload', path: '*' })
    })
  }

  /** What a page runs that is loaded now; `hot` is that of its module. */
  source(): string {
    return `hot.send('${LOADED_EVENT}', ${this.#count})`
  }
}

function isReload(payload: unknown): boolean {
  return (payload as { type?: unknown } | undefined)?.type === 'full-reload'
}
