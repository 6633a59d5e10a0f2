import type { Artifact, Encoding } from '../model/artifact.ts'
import type { FileEntry } from '../model/files.ts'
import { sendMessage, sendRedirect } from './answers.ts'
import { acceptsPage } from './navigation.ts'
import type { Representations } from './representation.ts'
import { resolveFile } from './resolve-file.ts'
import { sendFile } from './send-file.ts'
import type { Visit } from './visit.ts'

export interface Site {
  artifact: Artifact
  representations: Representations
  accepted: readonly Encoding[]
  /** Looks elsewhere for a file that the artifact does not have. */
  findElsewhere?: (path: string) => Promise<{ artifact: Artifact; entry: FileEntry } | undefined>
  /** Said of what is nowhere, in place of that there is nothing. */
  missing?: Parameters<typeof sendMessage>[2]
  /** Sends a page in a way of its own; false where the file is to be sent as it is. */
  sendPage?: (entry: FileEntry, status: 200 | 404) => Promise<boolean>
}

/** Answers a visit from the files of an artifact, by the rules of static sites and single-page apps. */
export async function serveSite(visit: Visit, site: Site): Promise<void> {
  const { req, res, project, path } = visit
  const { artifact, representations, accepted } = site
  const options = { spa: project.settings.spa, navigation: acceptsPage(req) }
  const found = resolveFile(artifact.files, path, options)
  if (found.kind === 'add-slash') return addSlash(visit)
  if (found.kind !== 'missing') {
    const status = found.kind === 'file' ? 200 : 404
    if (await site.sendPage?.(found.entry, status)) return
    return sendFile(req, res, { artifact, entry: found.entry, accepted, representations, status })
  }
  const elsewhere = await site.findElsewhere?.(path)
  if (elsewhere !== undefined) return sendFile(req, res, { ...elsewhere, accepted, representations })
  sendMessage(req, res, site.missing ?? NO_FILE)
}

const NO_FILE = {
  status: 404,
  heading: 'Nothing at this address',
  text: 'The preview has no file and no page here.',
}

/** The location is made from the decoded path, which has no empty segment here, so that it stays on this origin. */
function addSlash({ req, res, path, prefix }: Visit): void {
  const query = req.url?.includes('?') ? req.url.slice(req.url.indexOf('?')) : ''
  sendRedirect(res, 308, `${prefix}${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}/${query}`)
}
