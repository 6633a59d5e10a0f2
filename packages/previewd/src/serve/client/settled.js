import { setTimeout } from './browser.js'

/** A page that has asked for no script for so long has all that it begins with. */
const SETTLED_MS = 300
const MAX_SETTLE_MS = 10_000

/**
 * An update that came while a module was on its way has passed it by: Vite knows nothing of what has not run yet, and
 * what a server rendered before the update may be woken by modules from after it.
 */
export function createSettling({ mode }, { screen, changeOver }) {
  /** When the first update came that may have missed modules which were still on their way. */
  let earlyAt
  let updatedAt = 0
  let isSettled = false
  let heldUntilSettled

  function start() {
    const startedAt = performance.now()
    const whenSettled = () => {
      const lastMs = document.readyState === 'complete' ? lastScriptMs() : Number.POSITIVE_INFINITY
      const now = performance.now()
      const hasMissed = mode === 'session' && earlyAt !== undefined && earlyAt <= lastMs
      const isBusy = now - lastMs < SETTLED_MS || (hasMissed && now - updatedAt < SETTLED_MS)
      if (isBusy && now - startedAt < MAX_SETTLE_MS) return setTimeout(whenSettled, 100)
      isSettled = true
      if (hasMissed) changeOver()
      else if (heldUntilSettled !== undefined) screen.reachSoon(heldUntilSettled)
    }
    setTimeout(whenSettled)
  }

  return {
    start,
    get isSettled() {
      return isSettled
    },
    updating() {
      updatedAt = performance.now()
      if (!isSettled) earlyAt ??= updatedAt
    },
    /** A revision that the page may have missed is not reached before that is known. */
    reachSoon(next) {
      if (earlyAt !== undefined && !isSettled) heldUntilSettled = next
      else screen.reachSoon(next)
    },
  }
}

/** When the last module was there with which the page began; those of updates carry the time of the update. */
function lastScriptMs() {
  const isModule = ({ initiatorType, name }) =>
    /^(?:script|other|link)$/.test(initiatorType) && !/[?&]t=\d/.test(name)
  return Math.max(
    0,
    ...performance
      .getEntriesByType('resource')
      .filter(isModule)
      .map(({ responseEnd }) => responseEnd),
  )
}
