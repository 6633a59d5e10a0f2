import { hash } from 'node:crypto'
import { sendOwn } from '../answers.ts'
import { splitTarget } from '../request-path.ts'
import type { Visit } from '../visit.ts'
import { joinParts } from './join-parts.ts'

export const CLIENT_PATH = '/.previewd/client.js'

const SOURCE = joinParts(new URL('./client.js', import.meta.url))
const HASH = hash('sha256', SOURCE, 'base64url').slice(0, 12)

/** What an editor's page shows: the dev server of a session, or the published build. */
export type PageMode = 'session' | 'build'

/** The element that brings the client script into a page which shows this revision. */
export function clientTag(mode: PageMode, revision: number, generation?: string): string {
  const ofSession = generation === undefined ? '' : ` data-generation="${generation}"`
  return `<script src="${CLIENT_PATH}?v=${HASH}" data-revision="${revision}" data-mode="${mode}"${ofSession}></script>`
}

export function sendClientScript({ req, res }: Visit): void {
  const isCurrent = splitTarget(req.url ?? '').query === `?v=${HASH}`
  sendOwn(req, res, 200, SOURCE, {
    'Content-Type': 'text/javascript; charset=utf-8',
    'Cache-Control': isCurrent ? 'public, max-age=31536000, immutable' : 'no-cache',
  })
}
