import { PreviewdError } from '../errors.ts'
import type { PullLimits } from './pull-options.ts'

export function fileTooLarge(path: string, { fileBytes }: PullLimits): PreviewdError {
  return new PreviewdError(
    'FILE_TOO_LARGE',
    `The source's ${JSON.stringify(path)} is larger than ${fileBytes} bytes.`,
  )
}

export function projectTooLarge({ projectBytes }: PullLimits): PreviewdError {
  return new PreviewdError(
    'PROJECT_TOO_LARGE',
    `The source's files are larger than ${projectBytes} bytes together.`,
  )
}

export function tooManyFiles({ files }: PullLimits): PreviewdError {
  return new PreviewdError('TOO_MANY_FILES', `The source has more than ${files} files.`)
}
