import { clearTimeout, setTimeout } from './browser.js'

/** Between reports of revisions, and of errors; the server closes the socket of a page that says more. */
const REPORT_SPACING_MS = 60
export const ERROR_SPACING_MS = 250

/** The newest state, and not more often than the server would take. */
export function spaceReports(send) {
  let reportTimer
  let lastReportAt = 0
  return function report(spacingMs = REPORT_SPACING_MS) {
    if (reportTimer !== undefined && spacingMs > REPORT_SPACING_MS) return
    clearTimeout(reportTimer)
    const waitMs = Math.max(0, lastReportAt + spacingMs - Date.now())
    reportTimer = setTimeout(() => {
      reportTimer = undefined
      lastReportAt = Date.now()
      send()
    }, waitMs)
  }
}
