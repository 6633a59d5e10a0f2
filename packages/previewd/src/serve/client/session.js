import { clearTimeout, setTimeout } from './browser.js'
import { BEHIND_MS } from './hot.js'

/** Returns what is to be done when the server says where the session stands. */
export function followSession({ mode, generation }, { screen, hot, changeOver, goLive }) {
  let behindTimer
  return function hear(message) {
    if (message.type !== 'session') return
    const { state, published } = message
    // A session that starts is worth waiting for: the page would be reloaded twice.
    const isOver = state !== 'live' && state !== 'starting'
    if (isOver && published > screen.revision) changeOver(published)
    if (state !== 'live') return
    if (mode === 'build') return goLive(message.revision)
    clearTimeout(behindTimer)
    // Another dev server, which does not know the modules of this page.
    if (generation && message.generation && generation !== message.generation)
      return changeOver(message.revision)
    screen.hear(message.revision)
    if (!(message.revision > screen.revision)) return
    if (hot.isHot === false) return screen.reach(message.revision)
    // An update that was sent before this page listened never comes; one that is on its way does.
    behindTimer = setTimeout(() => {
      if (message.revision > screen.revision && !hot.isUpdating && !hot.isReloading)
        changeOver(message.revision)
    }, BEHIND_MS)
  }
}
