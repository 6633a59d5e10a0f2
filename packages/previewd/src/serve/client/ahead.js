import { liveAddress } from './address.js'
import { setTimeout } from './browser.js'

/** Between question and answer; below it, what a page needs is fetched as fast as it is asked for. */
const NEAR_MS = 20
const MAX_FETCH_MS = 10_000
/** Of a build that was just painted: whoever came is looking at it, and its app has more to do than to paint. */
const REST_MS = 400

/** From the build to the session: where that shows the same, there is time to have what its page needs. */
export function createGoLive({ screen, changeOver }) {
  let isGoingLive = false
  return async function goLive(next) {
    if (next > screen.revision) return changeOver(next)
    if (isGoingLive) return
    isGoingLive = true
    await screen.painted
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    if (isFar()) await fetchAhead().catch(() => undefined)
    changeOver(next)
  }
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
