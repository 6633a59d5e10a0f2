import { setTimeout } from './browser.js'

/** An update or a page that is on its way is there by then. */
export const BEHIND_MS = 3000

/** What the module of the dev server tells of hot updates; it calls this client. */
export function followHotUpdates({ mode }, { errors, screen, settling, changeOver, greet }) {
  /** Undefined until it is known whether the page has hot updates. */
  let isHot
  let isUpdating = false
  let isReloading = false
  /** A revision whose updates are still being applied. */
  let reachedWhileUpdating
  /** Updates since the last revision that this page was told of. */
  let updates = 0

  const client = {
    /** What was sent before is lost: the server is asked where the session stands. */
    connected() {
      greet()
    },
    /** What the next update will import, while it is still compiled. A page that wakes is not to be touched. */
    coming(urls) {
      if (settling.isSettled) for (const url of urls) askAhead(url)
    },
    updating() {
      isUpdating = true
      updates++
      settling.updating()
      errors.updating()
    },
    updated() {
      isUpdating = false
      errors.updated()
      if (reachedWhileUpdating !== undefined) settling.reachSoon(reachedWhileUpdating)
      reachedWhileUpdating = undefined
    },
    failed() {
      isUpdating = false
      errors.failed()
    },
    /** What comes next is for the page that follows this one, unless Vite thinks otherwise. */
    reloading() {
      isReloading = true
      setTimeout(() => {
        isReloading = false
        if (screen.heard > screen.revision) screen.reach(screen.heard)
      }, BEHIND_MS)
    },
    /** `sent` updates belong to the revision; those from before this page listened are in none of its modules. */
    reached(next, sent = 0) {
      if (!Number.isSafeInteger(next)) return
      const hasMissed = updates < sent
      updates = 0
      screen.hear(next)
      if (hasMissed || errors.isPartial) changeOver(next)
      else if (isUpdating) reachedWhileUpdating = next
      else if (!isReloading) settling.reachSoon(next)
    },
  }
  Object.defineProperty(window, '__previewd', { value: Object.freeze(client) })
  if (mode === 'session') {
    void importHotModule().then((isThere) => {
      isHot = isThere
      greet()
    })
  }

  return {
    get isHot() {
      return isHot
    },
    get isUpdating() {
      return isUpdating
    },
    get isReloading() {
      return isReloading
    },
  }
}

/** Into the page's own modules, from where the import takes it. */
function askAhead(url) {
  const link = document.createElement('link')
  link.rel = 'modulepreload'
  link.href = url
  link.onload = link.onerror = () => link.remove()
  document.head?.append(link)
}

/** Whether there is one. */
function importHotModule() {
  return import('/@previewd/hot').catch(importBelowBase).then(
    () => true,
    () => false,
  )
}

/** A dev server with a base has its own modules below it, as the address of Vite's client shows. */
async function importBelowBase() {
  if (document.readyState === 'loading') {
    await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve))
  }
  const { src } = document.querySelector('script[src*="/@vite/client"]') ?? {}
  if (src === undefined) throw new Error('This page has no hot updates.')
  return import(src.replace(/@vite\/client.*/, '@previewd/hot'))
}
