import { hash } from 'node:crypto'
import { isHtml } from '../../lib/content-type.ts'
import type { Artifact } from '../../model/artifact.ts'
import type { FileEntry } from '../../model/files.ts'
import { etagOf } from '../representation.ts'
import { matchesEtag } from '../send-file.ts'
import type { Visit } from '../visit.ts'
import { addPrefix, injectShim } from './inject-shim.ts'
import type { PathProfileName, PathProfiles } from './path-profiles.ts'
import type { RouterBases } from './router-base.ts'
import { shimScript } from './shim.ts'

export interface PageParts {
  pathProfiles: PathProfiles
  routerBases: RouterBases
}

export interface PageToSend {
  artifact: Artifact
  entry: FileEntry
  status: 200 | 404
  name: PathProfileName
  isPrivate: boolean
}

/** Sends a page with the client script in it; false for files that are no pages. */
export async function sendPage(visit: Visit, page: PageToSend, parts: PageParts): Promise<boolean> {
  const { req, res, project, prefix } = visit
  if (!isHtml(page.entry.path)) return false
  const html = (await page.artifact.read(page.entry.path)).toString()
  const router = await parts.routerBases.hidesPrefix(page.artifact, html, prefix)
  const storage = page.name === 'sandboxed'
  const script = shimScript({ project: project.id, prefix, storage, router })
  const etag = etagOf(page.entry, `-${hash('sha256', script, 'base64url').slice(0, 8)}`)
  const { headers } = parts.pathProfiles
    .of(page.name, page.isPrivate)
    .choose(page.artifact, page.entry, ['identity'])
  if (page.status === 200 && matchesEtag(req.headers['if-none-match'], etag)) {
    res.writeHead(304, ['ETag', etag, 'Cache-Control', 'no-cache', 'Vary', 'Sec-Fetch-Mode']).end()
    return true
  }
  const body = Buffer.from(injectShim(addPrefix(html, prefix), script))
  res.writeHead(page.status, [...withEtag(headers, etag), 'Content-Length', String(body.length)])
  res.end(req.method === 'HEAD' ? undefined : body)
  return true
}

/** The file's own headers, for a body that is not the file any more. */
function withEtag(headers: readonly string[], etag: string): string[] {
  const changed: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (name !== 'Accept-Ranges') changed.push(name, name === 'ETag' ? etag : (headers[at + 1] ?? ''))
  }
  return changed
}
