import { hash } from 'node:crypto'
import { escapeHtml } from './escape-html.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'
import type { StatusView } from './view.ts'

const STYLE_HASH = `'sha256-${hash('sha256', STYLE, 'base64')}'`
const SCRIPT_HASH = `'sha256-${hash('sha256', SCRIPT, 'base64')}'`

/** What the pages of the gateway itself may do: nothing but their own style, script and status stream. */
export const PAGE_POLICY = `default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src ${STYLE_HASH}; script-src ${SCRIPT_HASH}; connect-src 'self'`

const ICON = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect x="1" y="2" width="14" height="12" rx="3" fill="#3d5afe"/><circle cx="4.5" cy="5.2" r="1" fill="#fff"/><rect x="3.5" y="8" width="9" height="1.6" rx=".8" fill="#fff"/><rect x="3.5" y="10.8" width="6" height="1.6" rx=".8" fill="#fff"/></svg>')}`

/** The page that follows a project until its preview is there. `statusUrl` is on the same origin. */
export function renderStatusPage(view: StatusView, statusUrl: string): string {
  const live = `<p class="sr" role="status">${escapeHtml(view.heading)}</p>`
  const attribute = ` data-status="${escapeHtml(statusUrl)}"`
  const fallback = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
  return shell(view.title, fallback, attribute, `${view.html}${live}<script type="module">${SCRIPT}</script>`)
}

/** A page with a heading and one sentence, for what cannot be shown. Both are plain text. */
export function renderMessagePage(heading: string, text: string): string {
  const main = `<main><h1>${escapeHtml(heading)}</h1><p class="lead">${escapeHtml(text)}</p></main>`
  return shell(heading, '', '', main)
}

function shell(title: string, head: string, bodyAttribute: string, body: string): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">' +
    `<title>${escapeHtml(title)}</title><link rel="icon" href="${ICON}"><style>${STYLE}</style>${head}</head>` +
    `<body${bodyAttribute}>${body}</body></html>`
  )
}
