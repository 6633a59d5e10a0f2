/** The app may replace these; the ones of the browser are needed. */
export const { WebSocket, setTimeout, clearTimeout, requestAnimationFrame } = window

export function isVisible() {
  return document.visibilityState === 'visible'
}
