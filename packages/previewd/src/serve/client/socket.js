import { setTimeout, WebSocket } from './browser.js'

/** The way to the gateway, opened anew whenever it is lost, unless the page is left. */
export function createSocket({ isLeaving, onOpen, onMessage }) {
  let socket
  let failures = 0

  function connect() {
    if (isLeaving()) return
    let openedAt
    socket = new WebSocket(
      `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/.previewd/live`,
    )
    socket.onopen = () => {
      openedAt = Date.now()
      onOpen()
    }
    socket.onmessage = ({ data }) => onMessage(JSON.parse(data))
    socket.onclose = () => {
      failures = openedAt !== undefined && Date.now() - openedAt > 5000 ? 0 : failures + 1
      const pauseMs = Math.min(30_000, 500 * 2 ** Math.min(failures, 6))
      setTimeout(connect, pauseMs * (0.5 + Math.random() / 2))
    }
  }

  return {
    connect,
    send(message) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    close() {
      if (socket) socket.onclose = null
      socket?.close()
    },
  }
}
