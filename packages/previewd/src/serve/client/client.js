/**
 * What previewd puts into the pages of editors: it reports which revision is on the screen and with how many errors,
 * and brings a page of the published build to the live session. A classic script, first in the page, so that it sees
 * every error of the app.
 */
;(() => {
  const own = document.currentScript
  const { mode, revision: shown, generation } = own?.dataset ?? {}
  // An app that was rendered on a server wakes on the page as that server wrote it.
  own?.remove()
  for (const link of document.querySelectorAll('link[data-previewd]')) link.remove()
  const LIVE_MARK = 'previewd_live=1'
  /** A change-over led here, and not somebody who wants to see the page. */
  const isSentHere = cleanAddress()
  if (shown === undefined || window.__previewd !== undefined || isInsideInstrumentedPage()) return

  // The app may replace these; the ones of the browser are needed.
  const { WebSocket, setTimeout, clearTimeout, requestAnimationFrame } = window
  const MAX_ERRORS = 1000
  /** Between reports of revisions, and of errors; the server closes the socket of a page that says more. */
  const REPORT_SPACING_MS = 60
  const ERROR_SPACING_MS = 250
  /** React applies an update this long after Vite did (16 ms), all at once. */
  const REFRESH_MS = 20
  const TYPING_MS = 2000
  const RELOADS = 'previewd:reloads'
  const SCROLL = 'previewd:scroll'
  const REVISION = 'previewd:revision'
  const REVISION_KEPT_MS = 30_000
  const RELOAD_WINDOW_MS = 60_000
  const MAX_RELOADS = 3
  const BEHIND_MS = 3000
  /** A dev server that starts anew in its place needs about so long. */
  const RETRY_MS = 1000
  /** A page that has asked for no script for so long has all that it begins with. */
  const SETTLED_MS = 300
  /** Between question and answer; below it, what a page needs is fetched as fast as it is asked for. */
  const NEAR_MS = 20
  const MAX_FETCH_MS = 10_000
  /** Of a build that was just painted: whoever came is looking at it, and its app has more to do than to paint. */
  const REST_MS = 400
  const MAX_SETTLE_MS = 10_000

  let revision = Math.max(Number(shown), revisionBefore())
  /** The newest that the session is known to have. */
  let heard = revision
  let errors = isPageOfFailure() ? 1 : 0
  let isUpdating = false
  let isReloading = false
  /** A revision whose updates are still being applied. */
  let reachedWhileUpdating
  let hasPainted = false
  const { promise: painted, resolve: tellPainted } = Promise.withResolvers()
  /** Undefined until it is known whether the page has hot updates. */
  let isHot
  /** When the first update came that may have missed modules which were still on their way. */
  let earlyAt
  let updatedAt = 0
  /** Updates since the last revision that this page was told of. */
  let updates = 0
  let isSettled = false
  let heldUntilSettled

  // Errors

  const countError = () => {
    errors = Math.min(errors + 1, MAX_ERRORS)
    if (hasPainted) report(ERROR_SPACING_MS)
  }
  window.addEventListener('error', (event) => {
    // A browser's notice, not an error of the app.
    if (!String(event.message).startsWith('ResizeObserver loop')) countError()
  })
  window.addEventListener('unhandledrejection', countError)

  /** A script of the app did not come, or something that it imports: no update brings that to the page. */
  let isPartial = false
  const noticeMissingScript = ({ target }) => {
    if (!(target instanceof HTMLScriptElement) || !target.src.startsWith(`${location.origin}/`)) return
    countError()
    if (mode !== 'session' || isPartial) return
    isPartial = true
    if (!isForGood()) setTimeout(changeOver, RETRY_MS)
  }
  window.addEventListener('error', noticeMissingScript, { capture: true })

  /** What does not exist or compile comes with a later revision; everything else may have come to grief on its way. */
  function isForGood() {
    return performance
      .getEntriesByType('resource')
      .some(({ responseStatus }) => responseStatus === 404 || responseStatus === 500)
  }

  // Hot updates: the module of the dev server calls these

  let stopListening = () => undefined

  /** A script that the browser could not read is no error of the window; Vite says so in the console, and goes on. */
  function listenForFailedUpdates() {
    const { error } = console
    const listening = (...words) => {
      if (/Failed to reload /.test(words.map(String).join(' '))) countError()
      error.apply(console, words)
    }
    console.error = listening
    return () => {
      if (console.error === listening) console.error = error
    }
  }

  const client = {
    /** What was sent before is lost: the server is asked where the session stands. */
    connected() {
      greet()
    },
    /** What the next update will import, while it is still compiled. A page that wakes is not to be touched. */
    coming(urls) {
      if (isSettled) for (const url of urls) askAhead(url)
    },
    updating() {
      isUpdating = true
      updates++
      updatedAt = performance.now()
      if (!isSettled) earlyAt ??= updatedAt
      errors = 0
      stopListening()
      stopListening = listenForFailedUpdates()
    },
    updated() {
      isUpdating = false
      stopListening()
      if (reachedWhileUpdating !== undefined) reachSoon(reachedWhileUpdating)
      reachedWhileUpdating = undefined
    },
    failed() {
      isUpdating = false
      stopListening()
      errors = 0
      countError()
    },
    /** What comes next is for the page that follows this one, unless Vite thinks otherwise. */
    reloading() {
      isReloading = true
      setTimeout(() => {
        isReloading = false
        if (heard > revision) reach(heard)
      }, BEHIND_MS)
    },
    /** `sent` updates belong to the revision; those from before this page listened are in none of its modules. */
    reached(next, sent = 0) {
      if (!Number.isSafeInteger(next)) return
      const hasMissed = updates < sent
      updates = 0
      heard = Math.max(heard, next)
      if (hasMissed || isPartial) changeOver()
      else if (isUpdating) reachedWhileUpdating = next
      else if (!isReloading) reachSoon(next)
    },
  }
  Object.defineProperty(window, '__previewd', { value: Object.freeze(client) })
  if (mode === 'session') {
    import('/@previewd/hot').catch(importBelowBase).then(
      () => {
        isHot = true
        greet()
      },
      () => {
        isHot = false
        greet()
      },
    )
  }

  /** Into the page's own modules, from where the import takes it. */
  function askAhead(url) {
    const link = document.createElement('link')
    link.rel = 'modulepreload'
    link.href = url
    link.onload = link.onerror = () => link.remove()
    document.head?.append(link)
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

  function reachSoon(next) {
    if (earlyAt !== undefined && !isSettled) heldUntilSettled = next
    else if (document.visibilityState === 'hidden') reach(next)
    else setTimeout(reach, REFRESH_MS, next)
  }

  function reach(next) {
    revision = Math.max(revision, next)
    heard = Math.max(heard, revision)
    afterPaint(() => {
      hasPainted = true
      tellPainted()
      report()
    })
  }

  /** Two frames later what was changed is on the screen; hidden pages and frames out of sight get none. */
  function afterPaint(callback) {
    if (document.visibilityState === 'hidden') return callback()
    let isDone = false
    const once = () => {
      if (!isDone) callback()
      isDone = true
    }
    requestAnimationFrame(() => requestAnimationFrame(once))
    setTimeout(once, 1000)
  }

  // The first paint: when the page has loaded, or is usable while something in it hangs

  if (document.readyState === 'complete') reach(revision)
  else {
    let isLoaded = false
    const loaded = () => {
      if (!isLoaded) reach(revision)
      isLoaded = true
    }
    window.addEventListener('load', loaded)
    document.addEventListener('DOMContentLoaded', () => setTimeout(loaded, 5000))
  }

  // An update that came while a module was on its way has passed it by: Vite knows nothing of what has not run yet, and
  // what a server rendered before the update may be woken by modules from after it

  const startedAt = performance.now()
  const whenSettled = () => {
    const lastMs = document.readyState === 'complete' ? lastScriptMs() : Number.POSITIVE_INFINITY
    const now = performance.now()
    const hasMissed = mode === 'session' && earlyAt !== undefined && earlyAt <= lastMs
    const isBusy = now - lastMs < SETTLED_MS || (hasMissed && now - updatedAt < SETTLED_MS)
    if (isBusy && now - startedAt < MAX_SETTLE_MS) return setTimeout(whenSettled, 100)
    isSettled = true
    if (hasMissed) changeOver()
    else if (heldUntilSettled !== undefined) reachSoon(heldUntilSettled)
  }
  setTimeout(whenSettled)

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

  // The socket

  let socket
  let failures = 0
  let isLeaving = false
  let reportTimer
  let lastReportAt = 0
  let behindTimer

  const isVisible = () => document.visibilityState === 'visible'
  const send = (message) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }

  function greet() {
    send({ type: 'hello', mode, generation, revision, visible: isVisible() })
  }

  /** The newest state, and not more often than the server would take. */
  function report(spacingMs = REPORT_SPACING_MS) {
    if (reportTimer !== undefined && spacingMs > REPORT_SPACING_MS) return
    clearTimeout(reportTimer)
    const waitMs = Math.max(0, lastReportAt + spacingMs - Date.now())
    reportTimer = setTimeout(() => {
      reportTimer = undefined
      lastReportAt = Date.now()
      if (hasPainted && !isReloading) send({ type: 'painted', revision, errors, visible: isVisible() })
    }, waitMs)
  }

  function connect() {
    if (isLeaving) return
    let openedAt
    socket = new WebSocket(
      `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/.previewd/live`,
    )
    socket.onopen = () => {
      openedAt = Date.now()
      greet()
      if (hasPainted) report()
    }
    socket.onmessage = ({ data }) => hear(JSON.parse(data))
    socket.onclose = () => {
      failures = openedAt !== undefined && Date.now() - openedAt > 5000 ? 0 : failures + 1
      const pauseMs = Math.min(30_000, 500 * 2 ** Math.min(failures, 6))
      setTimeout(connect, pauseMs * (0.5 + Math.random() / 2))
    }
  }

  function hear(message) {
    if (message.type !== 'session') return
    const { state, published } = message
    // A session that starts is worth waiting for: the page would be reloaded twice.
    const isOver = state !== 'live' && state !== 'starting'
    if (isOver && published > revision) changeOver()
    if (state !== 'live') return
    if (mode === 'build') return goLive(message.revision)
    clearTimeout(behindTimer)
    // Another dev server, which does not know the modules of this page.
    if (generation && message.generation && generation !== message.generation) return changeOver()
    heard = Math.max(heard, message.revision)
    if (!(message.revision > revision)) return
    if (isHot === false) return reach(message.revision)
    // An update that was sent before this page listened never comes; one that is on its way does.
    behindTimer = setTimeout(() => {
      if (message.revision > revision && !isUpdating && !isReloading) changeOver()
    }, BEHIND_MS)
  }

  document.addEventListener('visibilitychange', () => {
    if (hasPainted) afterPaint(report)
  })
  window.addEventListener('pagehide', () => {
    isLeaving = true
    keepRevision()
    if (socket) socket.onclose = null
    socket?.close()
  })
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return
    isLeaving = false
    connect()
  })
  connect()

  // From the build to the session: where that shows the same, there is time to have what its page needs

  let isGoingLive = false

  async function goLive(next) {
    if (next > revision) return changeOver()
    if (isGoingLive) return
    isGoingLive = true
    await painted
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    if (isFar()) await fetchAhead().catch(() => undefined)
    changeOver()
  }

  function isFar() {
    const { requestStart, responseStart } = performance.getEntriesByType('navigation')[0] ?? {}
    return responseStart - requestStart > NEAR_MS
  }

  /** Into the browser's cache, which asks whether they are still the same. */
  async function fetchAhead() {
    const signal = AbortSignal.timeout(MAX_FETCH_MS)
    const page = await fetch(liveAddress(), { signal, headers: { accept: 'text/html' } })
    const links = new DOMParser()
      .parseFromString(await page.text(), 'text/html')
      .querySelectorAll('link[data-previewd]')
    const fetches = Array.from(links, async (link) => {
      const answer = await fetch(link.getAttribute('href'), { signal, priority: 'low' })
      await answer.arrayBuffer()
    })
    await Promise.allSettled(fetches)
  }

  function liveAddress() {
    const { origin, pathname, search } = location
    return `${origin}${pathname}${search === '' ? '?' : `${search}&`}${LIVE_MARK}`
  }

  function cleanAddress() {
    const { pathname, search, hash } = location
    const clean = search.replace(new RegExp(`[?&]${LIVE_MARK}$`), '')
    if (clean === search) return false
    history.replaceState(history.state, '', `${pathname}${clean}${hash}`)
    return true
  }

  // The change-over: a reload that keeps the address and the scroll, and does not take the words of who types

  let lastInputAt = 0
  for (const type of ['input', 'keydown', 'compositionupdate']) {
    window.addEventListener(type, () => (lastInputAt = Date.now()), { capture: true, passive: true })
  }
  let reloadTimer

  function changeOver() {
    if (reloadTimer !== undefined || isLeaving) return
    const waitMs = isTyping() ? TYPING_MS : waitForReloads()
    if (waitMs === 0) return reload()
    reloadTimer = setTimeout(() => {
      reloadTimer = undefined
      changeOver()
    }, waitMs)
  }

  function isTyping() {
    if (Date.now() - lastInputAt >= TYPING_MS) return false
    let focused = document.activeElement
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
    return focused?.isContentEditable === true || /^(?:input|textarea|select)$/i.test(focused?.tagName ?? '')
  }

  /** Milliseconds; a page that was reloaded again and again, and is what it was, is left alone for a while. */
  function waitForReloads() {
    if (mode === 'build' && !isSentHere) return 0
    const recent = recentReloads()
    if (recent === undefined) return performance.now() < 5000 ? 5000 : 0
    return recent.length < MAX_RELOADS ? 0 : RELOAD_WINDOW_MS
  }

  /** The last reloads of a page that showed the same; undefined where the page has no storage. */
  function recentReloads() {
    try {
      const reloads = JSON.parse(sessionStorage.getItem(RELOADS) ?? '[]')
      const isRecent = ({ at, from }) => from === `${mode} ${shown}` && Date.now() - at < RELOAD_WINDOW_MS
      return reloads.filter(isRecent).slice(-MAX_RELOADS)
    } catch {
      return undefined
    }
  }

  function reload() {
    isLeaving = true
    const recent = recentReloads()
    if (recent !== undefined) {
      sessionStorage.setItem(
        RELOADS,
        JSON.stringify([...recent, { at: Date.now(), from: `${mode} ${shown}` }]),
      )
      sessionStorage.setItem(SCROLL, JSON.stringify({ url: location.href, x: scrollX, y: scrollY }))
    }
    if (mode === 'build') location.replace(liveAddress() + location.hash)
    else location.reload()
  }

  restoreScroll()

  /** The app may need a moment until it is as long again as it was; who scrolls by themselves is not disturbed. */
  function restoreScroll() {
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

  /**
   * What the session had before this page was asked for, this page has. The address of the page may be answered a
   * moment before the server knows what its own dev server has told to open pages.
   */
  function revisionBefore() {
    try {
      const { revision, at, of } = JSON.parse(sessionStorage.getItem(REVISION) ?? '{}')
      return mode === 'session' && of === generation && Date.now() - at < REVISION_KEPT_MS ? revision : 0
    } catch {
      return 0
    }
  }

  function keepRevision() {
    try {
      if (mode === 'session')
        sessionStorage.setItem(REVISION, JSON.stringify({ revision: heard, at: Date.now(), of: generation }))
    } catch {
      // Without storage a page may be behind for a moment, as it would be without this.
    }
  }

  /** A server that renders says with a page that it could not, and no script of it need fail. */
  function isPageOfFailure() {
    return performance.getEntriesByType('navigation')[0]?.responseStatus >= 500
  }

  /** A frame of the app's own origin is part of the page around it. */
  function isInsideInstrumentedPage() {
    try {
      return window.parent !== window && window.parent.__previewd !== undefined
    } catch {
      return false
    }
  }
})()
