import { requestAnimationFrame, setTimeout } from './browser.js'

/** React applies an update this long after Vite did (16 ms), all at once. */
const REFRESH_MS = 20
/** A loader that takes longer is not waited for. */
const MAX_LOADING_MS = 3000
const LOOK_EVERY_MS = 10

/** The revision that the page shows, and the newest that it should. `onPaint` is called when one is to be seen. */
export function createScreen(first, onPaint) {
  let revision = first
  let heard = revision
  let hasPainted = false
  const { promise: painted, resolve: tellPainted } = Promise.withResolvers()

  function reach(next) {
    revision = Math.max(revision, next)
    heard = Math.max(heard, revision)
    afterPaint(() => {
      hasPainted = true
      tellPainted()
      onPaint()
    })
  }

  function reachSoon(next) {
    if (document.visibilityState === 'hidden') reach(next)
    else setTimeout(reachWhenLoaded, REFRESH_MS, next, performance.now())
  }

  /** React Router asks its loaders first, and applies the update then. */
  function reachWhenLoaded(next, since) {
    const isLoading = window.__reactRouterDataRouter?.state?.revalidation === 'loading'
    if (!isLoading || performance.now() - since > MAX_LOADING_MS) reach(next)
    else setTimeout(reachWhenLoaded, LOOK_EVERY_MS, next, since)
  }

  /** When the page has loaded, or is usable while something in it hangs. */
  function awaitFirstPaint() {
    if (document.readyState === 'complete') return reach(revision)
    let isLoaded = false
    const loaded = () => {
      if (!isLoaded) reach(revision)
      isLoaded = true
    }
    window.addEventListener('load', loaded)
    document.addEventListener('DOMContentLoaded', () => setTimeout(loaded, 5000))
  }

  return {
    get revision() {
      return revision
    },
    /** The newest that the session is known to have. */
    get heard() {
      return heard
    },
    hear(next) {
      heard = Math.max(heard, next)
    },
    get hasPainted() {
      return hasPainted
    },
    /** Resolves with the first paint. */
    painted,
    reach,
    reachSoon,
    awaitFirstPaint,
  }
}

/** Two frames later what was changed is on the screen; hidden pages and frames out of sight get none. */
export function afterPaint(callback) {
  if (document.visibilityState === 'hidden') return callback()
  let isDone = false
  const once = () => {
    if (!isDone) callback()
    isDone = true
  }
  requestAnimationFrame(() => requestAnimationFrame(once))
  setTimeout(once, 1000)
}
