import type { Config } from '../config.ts'
import { PreviewdError } from '../errors.ts'
import { AzureKind } from './azure-kind.ts'
import { type Place, parsePlace } from './places.ts'
import { S3Kind } from './s3-kind.ts'

/** Where no project has files: it is asked whether the server may list at all. */
const NOWHERE = '.previewd-doctor/'
const TIMEOUT_MS = 20_000

export interface ProbedPlace {
  /** E.g. `azure-blob:projects`. */
  place: string
  /** Why it cannot be read; undefined where it can. */
  problem: string | undefined
}

/** Asks each place that the operator named for a listing; never rejects. */
export async function probePlaces({ sources }: Pick<Config, 'sources'>): Promise<ProbedPlace[]> {
  const probed: ProbedPlace[] = []
  for (const text of sources.places) {
    const [name = text] = text.split('/')
    probed.push({ place: name, problem: await problemOf(text, sources) })
  }
  return probed
}

async function problemOf(text: string, sources: Config['sources']): Promise<string | undefined> {
  try {
    await list(parsePlace(text), sources)
    return undefined
  } catch (error) {
    if (error instanceof PreviewdError) return error.message
    return (error as Error).name === 'TimeoutError'
      ? `It did not answer in ${TIMEOUT_MS} ms.`
      : (error as Error).message
  }
}

async function list(place: Place, { azure, s3, timeoutMs }: Config['sources']): Promise<void> {
  const { kind, container } = place
  await using source =
    kind === 'azure-blob'
      ? await new AzureKind(azure, [place], { timeoutMs }).open({ kind, container, prefix: NOWHERE })
      : await new S3Kind(s3, [place], { timeoutMs }).open({ kind, bucket: container, prefix: NOWHERE })
  for await (const _ of source.list(AbortSignal.timeout(TIMEOUT_MS))) return
}
