const REVISION = 'previewd:revision'
const REVISION_KEPT_MS = 30_000

/**
 * What the session had before this page was asked for, this page has. The address of the page may be answered a
 * moment before the server knows what its own dev server has told to open pages.
 */
export function revisionBefore({ mode, generation }) {
  try {
    const { revision, at, of } = JSON.parse(sessionStorage.getItem(REVISION) ?? '{}')
    return mode === 'session' && of === generation && Date.now() - at < REVISION_KEPT_MS ? revision : 0
  } catch {
    return 0
  }
}

export function keepRevision({ mode, generation }, revision) {
  try {
    if (mode === 'session')
      sessionStorage.setItem(REVISION, JSON.stringify({ revision, at: Date.now(), of: generation }))
  } catch {
    // Without storage a page may be behind for a moment, as it would be without this.
  }
}
