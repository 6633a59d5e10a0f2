const LIVE_MARK = 'previewd_live=1'

/** Where the session shows the page that the published build shows here. */
export function liveAddress() {
  const { origin, pathname, search } = location
  return `${origin}${pathname}${search === '' ? '?' : `${search}&`}${LIVE_MARK}`
}

/** True where a change-over led here, and not somebody who wants to see the page. */
export function cleanAddress() {
  const { pathname, search, hash } = location
  const clean = search.replace(new RegExp(`[?&]${LIVE_MARK}$`), '')
  if (clean === search) return false
  history.replaceState(history.state, '', `${pathname}${clean}${hash}`)
  return true
}
