import { liveAddress } from './address.js'
import { setTimeout } from './browser.js'
import { keepScroll } from './scroll.js'
import { TYPING_MS, watchTyping } from './typing.js'

const RELOADS = 'previewd:reloads'
const RELOAD_WINDOW_MS = 60_000
const MAX_RELOADS = 3

/** The change-over: a reload that keeps the address and the scroll, and does not take the words of who types. */
export function createChangeOver({ mode, shown, isSentHere }) {
  const from = `${mode} ${shown}`
  const isTyping = watchTyping()
  let reloadTimer
  let isLeaving = false

  function changeOver() {
    if (reloadTimer !== undefined || isLeaving) return
    const waitMs = isTyping() ? TYPING_MS : waitForReloads()
    if (waitMs === 0) return reload()
    reloadTimer = setTimeout(() => {
      reloadTimer = undefined
      changeOver()
    }, waitMs)
  }

  /** Milliseconds; a page that was reloaded again and again, and is what it was, is left alone for a while. */
  function waitForReloads() {
    if (mode === 'build' && !isSentHere) return 0
    const recent = recentReloads(from)
    if (recent === undefined) return performance.now() < 5000 ? 5000 : 0
    return recent.length < MAX_RELOADS ? 0 : RELOAD_WINDOW_MS
  }

  function reload() {
    isLeaving = true
    const recent = recentReloads(from)
    if (recent !== undefined) {
      sessionStorage.setItem(RELOADS, JSON.stringify([...recent, { at: Date.now(), from }]))
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

/** The last reloads of a page that showed the same; undefined where the page has no storage. */
function recentReloads(from) {
  try {
    const reloads = JSON.parse(sessionStorage.getItem(RELOADS) ?? '[]')
    const isRecent = (reload) => reload.from === from && Date.now() - reload.at < RELOAD_WINDOW_MS
    return reloads.filter(isRecent).slice(-MAX_RELOADS)
  } catch {
    return undefined
  }
}
