import { join } from 'node:path'
import type { Logger } from 'pino'
import type { NodeResult, Nodes } from '../model/environment.ts'
import type { NodeChoice } from '../model/node-version.ts'
import { NodeReleases, NodeUnavailable } from './node-releases.ts'
import { RegistryClient } from './registry-client.ts'

export interface NodesOptions {
  dataDir: string
  registry: { url: string; token?: string | undefined; minimumReleaseAgeMinutes: number }
  logger?: Pick<Logger, 'info' | 'warn'>
}

const ANSWER_TIMEOUT_MS = 20_000
/** A program of some 50 MB, packed. */
const TRANSFER_TIMEOUT_MS = 300_000
const STALL_TIMEOUT_MS = 15_000

export function createNodes({ dataDir, registry, logger }: NodesOptions): Nodes {
  const client = new RegistryClient({
    registry: new URL(registry.url.endsWith('/') ? registry.url : `${registry.url}/`),
    token: registry.token,
    answerTimeoutMs: ANSWER_TIMEOUT_MS,
    transferTimeoutMs: TRANSFER_TIMEOUT_MS,
    stallTimeoutMs: STALL_TIMEOUT_MS,
  })
  const { minimumReleaseAgeMinutes } = registry
  const releases = new NodeReleases({ dir: join(dataDir, 'runtime-tools'), client, minimumReleaseAgeMinutes })
  return {
    async prepare(choice, signal) {
      if (choice === undefined) return { ok: true, diagnostics: [] }
      signal.throwIfAborted()
      try {
        return { ok: true, node: await orAborted(releases.get(choice.major), signal), diagnostics: [] }
      } catch (error) {
        if (!(error instanceof NodeUnavailable)) throw error
        logger?.warn({ err: error, major: choice.major }, 'a Node could not be downloaded')
        return withoutNode(choice, error)
      }
    },
    close: () => client.close(),
  }
}

async function orAborted<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([coming, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function withoutNode({ major, isRequired }: NodeChoice, { message: reason }: NodeUnavailable): NodeResult {
  const instead = isRequired ? '' : ` Node ${process.versions.node} is used.`
  const message = `Node ${major} could not be downloaded: ${reason}.${instead}`
  const severity = isRequired ? 'error' : 'warning'
  return {
    ok: !isRequired,
    diagnostics: [{ origin: 'install', severity, code: 'NODE_UNAVAILABLE', message }],
  }
}
