import { setTimeout } from './browser.js'

const MAX_ERRORS = 1000
/** A dev server that starts anew in its place needs about so long. */
const RETRY_MS = 1000

/** Counts what goes wrong in the app, from the page's first moment or from its last update. */
export function countErrors({ mode }, { onError, changeOver }) {
  let errors = isPageOfFailure() ? 1 : 0
  let isPartial = false
  let stopListening = () => undefined

  const countError = () => {
    errors = Math.min(errors + 1, MAX_ERRORS)
    onError()
  }
  window.addEventListener('error', (event) => {
    // A browser's notice, not an error of the app.
    if (!String(event.message).startsWith('ResizeObserver loop')) countError()
  })
  window.addEventListener('unhandledrejection', countError)

  const noticeMissingScript = ({ target }) => {
    if (!(target instanceof HTMLScriptElement) || !target.src.startsWith(`${location.origin}/`)) return
    countError()
    if (mode !== 'session' || isPartial) return
    isPartial = true
    if (!isForGood()) setTimeout(changeOver, RETRY_MS)
  }
  window.addEventListener('error', noticeMissingScript, { capture: true })

  return {
    get count() {
      return errors
    },
    /** A script of the app did not come, or something that it imports: no update brings that to the page. */
    get isPartial() {
      return isPartial
    },
    updating() {
      errors = 0
      stopListening()
      stopListening = listenForFailedUpdates(countError)
    },
    updated() {
      stopListening()
    },
    failed() {
      stopListening()
      errors = 0
      countError()
    },
  }
}

/** A server that renders says with a page that it could not, and no script of it need fail. */
function isPageOfFailure() {
  return performance.getEntriesByType('navigation')[0]?.responseStatus >= 500
}

/** What does not exist or compile comes with a later revision; everything else may have come to grief on its way. */
function isForGood() {
  return performance
    .getEntriesByType('resource')
    .some(({ responseStatus }) => responseStatus === 404 || responseStatus === 500)
}

/** A script that the browser could not read is no error of the window; Vite says so in the console, and goes on. */
function listenForFailedUpdates(onFailure) {
  const { error } = console
  const listening = (...words) => {
    if (/Failed to reload /.test(words.map(String).join(' '))) onFailure()
    error.apply(console, words)
  }
  console.error = listening
  return () => {
    if (console.error === listening) console.error = error
  }
}
