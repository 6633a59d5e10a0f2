import { Agent, request as ask, type IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import PQueue from 'p-queue'
import { PackWriter } from '../../lib/pack/pack-writer.ts'
import type { PageRequest } from '../../model/session.ts'
import { WorkerError } from '../../model/worker.ts'
import type { Leaving } from './leaving.ts'
import { FORMAT, INDEX, type RecordingIndex } from './recording.ts'

const SIDE_BY_SIDE = 8
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const MAX_RECORDING_BYTES = 64 * 1024 * 1024
const ANSWER_TIMEOUT_MS = 2_000
const COMPRESSIBLE = /^(?:text\/|application\/(?:javascript|json|manifest\+json|xml)|image\/svg\+xml)/i
/** Below this a packet holds it anyway. */
const MIN_COMPRESSED_BYTES = 1024
const ACCEPT: Record<PageRequest['accept'], string> = {
  page: 'text/html,*/*;q=0.8',
  style: 'text/css,*/*;q=0.1',
  any: '*/*',
}
const compress = promisify(gzip)

/**
 * Asks a dev server once more for all that its pages asked for, and keeps the answers. It has them in memory; what it
 * does not know any more is left out. Rejects with a WorkerError where it does not answer: half a page is of no use.
 */
export async function recordPage(
  path: string,
  { server, requests, pageFile, page, files }: Leaving,
  bundle: string | undefined,
): Promise<void> {
  const answers = new Map<PageRequest, Answer>()
  const total = { bytes: 0 }
  const wanted = requests.map((request) => ofBundle(request, bundle))
  const missing = await askAll(server.socket, wanted, (request, answer) => {
    total.bytes += answer.body.length
    if (total.bytes <= MAX_RECORDING_BYTES) answers.set(request, answer)
  })
  if (missing > 0) throw new WorkerError('ended', 'The dev server does not answer any more.')
  // Not before: with a server that had to restart, it has only what it was asked for since.
  const modules = await server.modules()
  const index: RecordingIndex = {
    format: FORMAT,
    ...page,
    ...(bundle === undefined ? {} : { bundle }),
    pageFile,
    ...(modules && { modules }),
    files: [...files.values()],
    answers: [],
  }
  const pack = await PackWriter.create(path)
  try {
    // In the order in which they were asked for, whichever was answered first.
    for (const request of wanted) {
      const answer = answers.get(request)
      if (!answer) continue
      const isGzipped = answer.isCompressible && answer.body.length >= MIN_COMPRESSED_BYTES
      const file = String(index.answers.length)
      await pack.add(file, isGzipped ? await compress(answer.body, { level: 4 }) : answer.body)
      index.answers.push({ request, headers: answer.headers, file, isGzipped })
    }
    await pack.add(INDEX, Buffer.from(JSON.stringify(index)))
    await pack.seal()
  } catch (error) {
    await pack.abort()
    throw error
  }
}

/** The names of packages' modules say which bundle they were made for. */
function ofBundle(request: PageRequest, bundle: string | undefined): PageRequest {
  const isOfPackage = bundle !== undefined && /\/(?:node_modules|deps)\//.test(request.url)
  return isOfPackage
    ? { ...request, url: request.url.replace(/([?&]v=)[0-9a-f]{8}\b/, `$1${bundle}`) }
    : request
}

/**
 * Lets a dev server transform what it is asked for, so that it knows the modules that open pages have. Resolves with the
 * number of requests that were not answered at all.
 */
export async function askAll(
  socketPath: string,
  requests: readonly PageRequest[],
  onAnswer: (request: PageRequest, answer: Answer) => void = () => undefined,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: SIDE_BY_SIDE })
  const queue = new PQueue({ concurrency: SIDE_BY_SIDE })
  let missing = 0
  try {
    await queue.addAll(
      requests.map((request) => async () => {
        try {
          const answer = await askFor(request, { socketPath, agent, timeoutMs })
          if (answer) onAnswer(request, answer)
        } catch {
          missing++
        }
      }),
    )
    return missing
  } finally {
    agent.destroy()
  }
}

interface Answer {
  headers: string[]
  body: Buffer
  isCompressible: boolean
}

/** Undefined unless it is a plain 200. */
async function askFor(
  { url, accept }: PageRequest,
  { timeoutMs, ...to }: { socketPath: string; agent: Agent; timeoutMs: number },
): Promise<Answer | undefined> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const headers = { accept: ACCEPT[accept], host: 'localhost' }
    ask({ ...to, path: url, headers, signal }, resolve)
      .on('error', reject)
      .end()
  })
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk)
  }
  const { 'content-type': type = '', 'content-encoding': encoding } = answer.headers
  if (answer.statusCode !== 200 || bytes > MAX_ANSWER_BYTES || encoding !== undefined) return undefined
  return { headers: answer.rawHeaders, body: Buffer.concat(chunks), isCompressible: COMPRESSIBLE.test(type) }
}
