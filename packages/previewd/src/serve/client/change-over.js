import { liveAddress } from './address.js'
import { clearTimeout, setTimeout } from './browser.js'
import { keepScroll } from './scroll.js'
import { TYPING_MS, watchTyping } from './typing.js'

const RELOADS = 'previewd:reloads'
const RELOAD_WINDOW_MS = 60_000
const MAX_RELOADS = 3
const MAX_KEPT = 30

/** The change-over: a reload that keeps the address and the scroll, and does not take the words of who types. */
export function createChangeOver({ mode, shown, isSentHere }) {
  const isTyping = watchTyping()
  /** The newest revision that a reload may bring. */
  let coming = Number(shown)
  let reloadTimer
  let isLeaving = false

  function changeOver(revision = coming) {
    const isNewer = revision > coming
    coming = Math.max(coming, revision)
    if ((reloadTimer !== undefined && !isNewer) || isLeaving) return
    clearTimeout(reloadTimer)
    reloadTimer = undefined
    const waitMs = isTyping() ? TYPING_MS : waitForReloads()
    if (waitMs === 0) return reload()
    reloadTimer = setTimeout(() => {
      reloadTimer = undefined
      changeOver()
    }, waitMs)
  }

  /** Milliseconds; a page that was reloaded again and again for the same, and is what it was, is left alone for a while. */
  function waitForReloads() {
    if (mode === 'build' && !isSentHere) return 0
    const recent = recentReloads()
    if (recent === undefined) return performance.now() < 5000 ? 5000 : 0
    const inVain = recent.filter((reload) => reload.way === way())
    return inVain.length < MAX_RELOADS ? 0 : RELOAD_WINDOW_MS
  }

  /** From what to what. */
  function way() {
    return `${mode} ${shown} ${coming}`
  }

  function reload() {
    isLeaving = true
    const recent = recentReloads()
    if (recent !== undefined) {
      sessionStorage.setItem(RELOADS, JSON.stringify([...recent, { at: Date.now(), way: way() }]))
      keepScroll()
    }
    if (mode === 'build') location.replace(liveAddress() + location.hash)
    else location.reload()
  }

  return {
    changeOver,
    get isLeaving() {
      return isLeaving
    },
    leave() {
      isLeaving = true
    },
    comeBack() {
      isLeaving = false
    },
  }
}

/** The last reloads of this tab; undefined where the page has no storage. */
function recentReloads() {
  try {
    const reloads = JSON.parse(sessionStorage.getItem(RELOADS) ?? '[]')
    return reloads.filter(({ at }) => Date.now() - at < RELOAD_WINDOW_MS).slice(-MAX_KEPT)
  } catch {
    return undefined
  }
}
