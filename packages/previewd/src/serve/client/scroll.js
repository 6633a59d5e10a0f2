import { setTimeout } from './browser.js'

const SCROLL = 'previewd:scroll'

/** For the page that follows this one at its address. */
export function keepScroll() {
  sessionStorage.setItem(SCROLL, JSON.stringify({ url: location.href, x: scrollX, y: scrollY }))
}

/** The app may need a moment until it is as long again as it was; who scrolls by themselves is not disturbed. */
export function restoreScroll() {
  let saved
  try {
    saved = JSON.parse(sessionStorage.getItem(SCROLL) ?? 'null')
    sessionStorage.removeItem(SCROLL)
  } catch {
    return
  }
  if (saved?.url !== location.href || !(saved.y > 0 || saved.x > 0)) return
  const startedAt = Date.now()
  let isOver = false
  for (const type of ['wheel', 'touchstart', 'keydown', 'pointerdown']) {
    window.addEventListener(type, () => (isOver = true), { once: true, passive: true, capture: true })
  }
  const step = () => {
    if (isOver || Date.now() - startedAt > 5000) return
    const isThere = Math.abs(scrollY - saved.y) < 2 && Math.abs(scrollX - saved.x) < 2
    if (isThere && document.readyState === 'complete') return
    scrollTo({ left: saved.x, top: saved.y, behavior: 'instant' })
    setTimeout(step, 50)
  }
  step()
}
