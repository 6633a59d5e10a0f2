import type { Changes, ChangesAnswer } from './protocol.ts'
import type { WaitOptions } from './wait.ts'

/** Content of a file: text, or bytes. */
export type FileContent = string | Uint8Array

export interface ChangeSet {
  /** Path, relative and with `/`, to content. */
  files?: Readonly<Record<string, FileContent>>
  deleted?: readonly string[]
  /** Refuse with REVISION_CONFLICT unless the project is at this revision. */
  baseRevision?: number
  /** Delete every file that is not in `files`: they are the whole project. */
  replace?: boolean
}

export type AppliedChanges = ChangesAnswer & {
  /** True where `wait` was not reached in time: `status` says how far it is. */
  timedOut: boolean
}

export interface ApplyOptions extends WaitOptions {
  /** Makes repeats of this very call one; each call has one of its own unless it is given. */
  idempotencyKey?: string
}

/** Bytes go as base64 in JSON up to here, which costs a third more; beyond it as parts of a form. */
const MAX_BASE64_BYTES = 256 * 1024

/** The body for a batch: JSON, or a form where much of it is binary. */
export function bodyOf({
  files = {},
  deleted,
  baseRevision,
}: ChangeSet): { body: Changes } | { form: FormData } {
  const contents = Object.entries(files)
  const binary = contents.reduce(
    (sum, [, content]) => sum + (typeof content === 'string' ? 0 : content.length),
    0,
  )
  // A form cannot say these marks in a name.
  const isNamable = contents.every(([path]) => !/["\r\n]/.test(path))
  if (binary > MAX_BASE64_BYTES && isNamable) return { form: formOf(contents, deleted, baseRevision) }
  return {
    body: {
      files: Object.fromEntries(contents.map(([path, content]) => [path, jsonContent(content)])),
      ...(deleted && deleted.length > 0 && { deleted: [...deleted] }),
      ...(baseRevision !== undefined && { baseRevision }),
    },
  }
}

function jsonContent(content: FileContent): string | { encoding: 'base64'; content: string } {
  return typeof content === 'string' ? content : { encoding: 'base64', content: toBase64(content) }
}

function formOf(
  contents: readonly [string, FileContent][],
  deleted: readonly string[] | undefined,
  baseRevision: number | undefined,
): FormData {
  const form = new FormData()
  // The path as file name too: a part that is called "file" or "deleted" is a file all the same.
  for (const [path, content] of contents)
    form.append(path, new Blob([content as Uint8Array<ArrayBuffer>]), path)
  if (deleted && deleted.length > 0) form.append('deleted', JSON.stringify(deleted))
  if (baseRevision !== undefined) form.append('baseRevision', String(baseRevision))
  return form
}

/** In pieces: an argument list has a limit. */
function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  }
  return btoa(text)
}
