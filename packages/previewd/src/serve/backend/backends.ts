import { randomBytes } from 'node:crypto'
import type { IncomingMessage, RequestOptions, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { matchOrigin } from '../../lib/origin-pattern.ts'
import type { Project } from '../../model/project.ts'
import { findProxyRule, type ProxyRule } from '../../model/proxy-rules.ts'
import { admit } from '../admit.ts'
import { sendMessage } from '../answers.ts'
import type { BackendOptions, GatewayOptions } from '../gateway-options.ts'
import { admission } from '../grant-cookie.ts'
import { isOfForeignPage, isOwnOrigin } from '../own-origin.ts'
import { NO_SERVICE_WORKERS } from '../refuse.ts'
import { splitTarget } from '../request-path.ts'
import type { UpgradeRefusal } from '../upstream/refuse-upgrade.ts'
import { isWebSocket, type Tunnels } from '../upstream/tunnels.ts'
import { BackendFailure, sendBackendFailure, toBackendFailure } from './backend-failure.ts'
import { backendAnswerRewriter, basePathOf, toBackendHeaders } from './backend-headers.ts'
import { decodeBackendPath } from './backend-path.ts'
import { type BackendAgents, connectionTo, createBackendAgents } from './connect-backend.ts'
import { forward } from './forward.ts'

type Gateway = Pick<GatewayOptions, 'grants' | 'isEditor' | 'isOwnKey' | 'frameAncestors' | 'logger'>

const MAX_REQUESTS = 4000

/** Sends requests of previews on to the back ends that their projects name, as far as the operator allows it. */
export class Backends {
  readonly #options: BackendOptions
  readonly #gateway: Gateway
  readonly #agents: BackendAgents = createBackendAgents()
  readonly #running = new Map<string, number>()
  /** This server in a `Via` header, so that a request which comes back is known. */
  readonly #via = `previewd-${randomBytes(6).toString('hex')}`
  #total = 0

  constructor(options: BackendOptions, gateway: Gateway) {
    this.#options = options
    this.#gateway = gateway
  }

  /** The rule of the project that a request falls under. */
  find(req: IncomingMessage, project: Project): ProxyRule | undefined {
    return this.findBelow(splitTarget(req.url ?? '').rawPath, project)
  }

  findBelow(rawPath: string, { settings: { proxy } }: Project): ProxyRule | undefined {
    if (Object.keys(proxy).length === 0) return undefined
    const path = decodeBackendPath(rawPath)
    return path === undefined ? undefined : findProxyRule(proxy, path)
  }

  async answer(req: IncomingMessage, res: ServerResponse, project: Project, rule: ProxyRule): Promise<void> {
    const { rawPath, query } = splitTarget(req.url ?? '')
    if (req.headers['service-worker'] !== undefined) return sendMessage(req, res, NO_SERVICE_WORKERS)
    if (isOfForeignPage(req)) return sendBackendFailure(req, res, rule, FOREIGN_PAGE)
    if (admit(req, res, project, { rawPath, query }, this.#gateway) === undefined) return
    const running = this.#running.get(project.id) ?? 0
    if (running >= this.#options.requestsPerProject || this.#total >= MAX_REQUESTS) {
      return sendBackendFailure(req, res, rule, TOO_MANY)
    }
    this.#count(project.id, 1)
    const isPrivate = project.settings.visibility === 'private'
    try {
      await forward(req, res, {
        asking: { ...this.#ask(req, project, rule), agent: this.#agents[toProtocol(rule.target)] },
        rewrite: backendAnswerRewriter(req, rule, isPrivate),
        isPrivate,
        frameAncestors: this.#gateway.frameAncestors,
        timeoutMs: this.#options.timeoutMs,
        bodyBytes: this.#options.bodyBytes,
      })
    } catch (error) {
      this.#gateway.logger.debug(
        { err: error, project: project.id, prefix: rule.prefix },
        'A back end failed',
      )
      if (res.headersSent || res.destroyed) res.destroy()
      else sendBackendFailure(req, res, rule, toBackendFailure(error))
    } finally {
      this.#count(project.id, -1)
    }
  }

  /** Opens a WebSocket for who may see the preview, and answers with the status of the refusal where there is to be one. */
  openSocket(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    project: Project,
    rule: ProxyRule,
    tunnels: Tunnels,
  ): UpgradeRefusal | undefined {
    const { grants, isEditor } = this.#gateway
    const { role } = admission(req, splitTarget(req.url ?? '').query, project.id, grants)
    const isPrivate = project.settings.visibility === 'private'
    const isAdmitted = !isPrivate || role !== undefined || isEditor(req)
    if (!isOwnOrigin(req) || !isAdmitted) return 403
    if (!isWebSocket(req)) return 400
    try {
      const asking = this.#ask(req, project, rule)
      return tunnels.open(socket, head, {
        project: project.id,
        asking,
        rewrite: backendAnswerRewriter(req, rule, isPrivate),
      })
    } catch (error) {
      this.#gateway.logger.debug(
        { err: error, project: project.id, prefix: rule.prefix },
        'A back end failed',
      )
      return 502
    }
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  /** Throws BackendFailure or RefusedAddress where the target may not be reached. */
  #ask(req: IncomingMessage, project: Project, rule: ProxyRule): RequestOptions {
    const { targets, isOwnPort } = this.#options
    const allowed = matchOrigin(targets, rule.target)
    if (allowed === undefined) throw NOT_ALLOWED
    if (req.headers.via?.includes(this.#via)) throw LOOP
    const { rawPath, query } = splitTarget(req.url ?? '')
    const { offered } = admission(req, query, project.id, this.#gateway.grants)
    const options = {
      ...connectionTo(rule.target, { mayBePrivate: allowed === 'named', isOwnPort }),
      method: req.method,
      path: basePathOf(rule.target) + rawPath + (offered?.cleanQuery ?? query),
      headers: toBackendHeaders(req, rule, { isOwnKey: this.#gateway.isOwnKey, via: this.#via }),
      // The agents keep the connections of projects apart by it.
      project: project.id,
    }
    return options
  }

  #count(project: string, change: 1 | -1): void {
    const count = (this.#running.get(project) ?? 0) + change
    if (count === 0) this.#running.delete(project)
    else this.#running.set(project, count)
    this.#total += change
  }
}

function toProtocol({ protocol }: URL): keyof BackendAgents {
  return protocol === 'https:' ? 'https:' : 'http:'
}

const FOREIGN_PAGE = new BackendFailure('ORIGIN_NOT_ALLOWED', "is for the preview's own pages")
const TOO_MANY = new BackendFailure(
  'OVERLOADED',
  'is asked for more at once than this server allows a project',
)
const NOT_ALLOWED = new BackendFailure(
  'BACKEND_NOT_ALLOWED',
  'is not one of the targets that this server allows',
)
const LOOP = new BackendFailure('BACKEND_NOT_ALLOWED', 'leads back to this server')
