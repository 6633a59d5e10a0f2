import { WebSocket } from 'ws'
import type { Client } from './client.ts'

/** What the dev server of a project wrote, and what is said of it, from the beginning. */
export function followLog({ url }: Client, project: string): { lines: string[] } & Disposable {
  const lines: string[] = []
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/events?project=${project}&after=0`)
  socket.on('message', (message) => {
    const { type, data } = JSON.parse(String(message)) as {
      type: string
      data: { lines: { text: string }[] }
    }
    if (type === 'log') lines.push(...data.lines.map(({ text }) => text))
  })
  return { lines, [Symbol.dispose]: () => socket.terminate() }
}
