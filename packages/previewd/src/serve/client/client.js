/**
 * What previewd puts into the pages of editors: it reports which revision is on the screen and with how many errors,
 * and brings a page of the published build to the live session. With the modules that it imports it is sent as one
 * classic script, first in the page, so that it sees every error of the app.
 */
import { cleanAddress } from './address.js'
import { createGoLive } from './ahead.js'
import { isVisible } from './browser.js'
import { createChangeOver } from './change-over.js'
import { countErrors } from './errors.js'
import { followHotUpdates } from './hot.js'
import { keepRevision, revisionBefore } from './kept-revision.js'
import { ERROR_SPACING_MS, spaceReports } from './report.js'
import { afterPaint, createScreen } from './screen.js'
import { restoreScroll } from './scroll.js'
import { followSession } from './session.js'
import { createSettling } from './settled.js'
import { createSocket } from './socket.js'

const own = document.currentScript
const { mode, revision: shown, generation } = own?.dataset ?? {}
// An app that was rendered on a server wakes on the page as that server wrote it.
own?.remove()
for (const link of document.querySelectorAll('link[data-previewd]')) link.remove()
const isSentHere = cleanAddress()
if (shown !== undefined && window.__previewd === undefined && !isInsideInstrumentedPage()) {
  follow({ mode, shown, generation, isSentHere })
}

/** A frame of the app's own origin is part of the page around it. */
function isInsideInstrumentedPage() {
  try {
    return window.parent !== window && window.parent.__previewd !== undefined
  } catch {
    return false
  }
}

/** From before the app's first script until the page is left. */
function follow(page) {
  const report = spaceReports(sayWhatIsPainted)
  const screen = createScreen(Math.max(Number(page.shown), revisionBefore(page)), report)
  const leaving = createChangeOver(page)
  const { changeOver } = leaving
  const onError = () => {
    if (screen.hasPainted) report(ERROR_SPACING_MS)
  }
  const errors = countErrors(page, { onError, changeOver })
  const settling = createSettling(page, { screen, changeOver })
  const hot = followHotUpdates(page, { errors, screen, settling, changeOver, greet })
  screen.awaitFirstPaint()
  settling.start()

  const goLive = createGoLive({ screen, changeOver })
  const socket = createSocket({
    isLeaving: () => leaving.isLeaving,
    onOpen() {
      greet()
      if (screen.hasPainted) report()
    },
    onMessage: followSession(page, { screen, hot, changeOver, goLive }),
  })
  document.addEventListener('visibilitychange', () => {
    if (screen.hasPainted) afterPaint(report)
  })
  window.addEventListener('pagehide', () => {
    leaving.leave()
    keepRevision(page, screen.heard)
    socket.close()
  })
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return
    leaving.comeBack()
    socket.connect()
  })
  socket.connect()
  restoreScroll()

  function greet() {
    const { mode, generation } = page
    socket.send({ type: 'hello', mode, generation, revision: screen.revision, visible: isVisible() })
  }

  function sayWhatIsPainted() {
    if (!screen.hasPainted || hot.isReloading) return
    socket.send({ type: 'painted', revision: screen.revision, errors: errors.count, visible: isVisible() })
  }
}
