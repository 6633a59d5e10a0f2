import { isHtml } from '../lib/content-type.ts'
import type { Artifact } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'
import { clientTag } from './client/client-script.ts'
import { isNavigation } from './navigation.ts'
import { injectShim } from './path-mode/inject-shim.ts'
import type { Representations } from './representation.ts'
import type { Visit } from './visit.ts'

/** What the changed body is not sent with: the file's own validators would bring the file itself back. */
const OF_THE_FILE = new Set(['ETag', 'Accept-Ranges', 'Cache-Control'])

/**
 * Sends a page of the published build with the client script in it, so that it can report and change over to a
 * session; false for what a browser does not show as a page.
 */
export async function sendInstrumentedPage(
  { req, res, project }: Visit,
  page: { artifact: Artifact; entry: FileEntry; status: 200 | 404; representations: Representations },
): Promise<boolean> {
  const revision = project.published?.revision
  if (revision === undefined || !isHtml(page.entry.path) || !isNavigation(req)) return false
  // Latin-1 gives every byte back as it was.
  const html = (await page.artifact.read(page.entry.path)).toString('latin1')
  const body = Buffer.from(injectShim(html, clientTag('build', revision)), 'latin1')
  const { headers } = page.representations.choose(page.artifact, page.entry, ['identity'])
  const kept: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (!OF_THE_FILE.has(name)) kept.push(name, headers[at + 1] ?? '')
  }
  res.writeHead(page.status, [...kept, 'Cache-Control', 'no-store', 'Content-Length', String(body.length)])
  res.end(req.method === 'HEAD' ? undefined : body)
  return true
}
