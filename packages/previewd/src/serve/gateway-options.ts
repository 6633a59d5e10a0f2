import type { IncomingMessage } from 'node:http'
import type { OriginPattern } from '../lib/origin-pattern.ts'
import type { AppServers } from '../model/app-server.ts'
import type { Artifact, Artifacts } from '../model/artifact.ts'
import type { EventBus } from '../model/event.ts'
import type { Grants } from '../model/grant.ts'
import type { Sessions } from '../model/session.ts'
import type { ProjectStatus } from '../model/status.ts'
import type { Builds, Projects } from '../model/store.ts'
import type { CompressedAnswers } from './session/compressed-answers.ts'
import type { SeenRequests } from './session/page-requests.ts'
import type { OpenViewers } from './viewers.ts'

export interface Logger {
  error(fields: object, message: string): void
  debug(fields: object, message: string): void
}

export interface BackendOptions {
  /** What the operator lets projects reach. */
  targets: readonly OriginPattern[]
  timeoutMs: number
  /** Requests of one project at once; WebSockets have a limit of their own. */
  requestsPerProject: number
  /** Of one request. */
  bodyBytes: number
  isOwnPort(port: number): boolean
}

/** What the gateway needs of the other parts. */
export interface GatewayOptions {
  projects: Pick<Projects, 'get'>
  builds: Pick<Builds, 'get' | 'list'>
  artifacts: Pick<Artifacts, 'open'>
  grants: Pick<Grants, 'verify'>
  events: Pick<EventBus, 'listen'>
  /** Where editors' requests go while a session is live; everybody else sees what is published. */
  sessions?: Pick<Sessions, 'address' | 'untilLive' | 'recorded' | 'view'>
  /** For a page, until a dev server has begun to answer the first time; ten seconds by default. */
  pageTimeoutMs?: number
  /** Starts a session that sleeps; called when a page of an editor is opened. */
  wake?(project: string): void
  /** Gets what editors' pages ask their dev servers for. */
  requests?: SeenRequests
  /** Keeps what dev servers answer, compressed; one of its own by default. */
  compressed?: CompressedAnswers
  /** Where requests go that a build's own server answers; without, builds are served as files alone. */
  appServers?: AppServers
  /** Gets what editors' pages report; their pages carry no client script without it. */
  viewers?: OpenViewers
  /** Asked for projects that exist. Its `urls` are where navigations to a path are sent. */
  status(project: string): ProjectStatus
  /** Keyless loopback counts as an editor, for example. */
  isEditor(req: IncomingMessage): boolean
  /** True for an `Authorization` header with a key of this server, which no project code and no back end gets. */
  isOwnKey(authorization: string): boolean
  /** Without it, no request is sent to a back end. */
  backends?: BackendOptions
  /** What viewers of an env set see; undefined where the project has none of this name. */
  envSet(project: string, name: string): Promise<Artifact | 'building' | 'failed' | undefined>
  /** The build made for `/preview/{id}/` as its base, of the same revision as `buildId`; started where there is none. */
  variant(project: string, buildId: string): Promise<Artifact | 'building' | 'failed'>
  /** Host and port below which each project has its name, e.g. `localhost:4400`. */
  previewDomain(): string
  pathMode: 'redirect' | 'sandboxed' | 'same-origin'
  /** Sources of `frame-ancestors`; any page may frame a preview where the list is empty. */
  frameAncestors: readonly string[]
  /** Names of the API's host: path mode answers under no others, or a page could rebind its own name to this server. */
  allowsHost?(host: string | undefined): boolean
  /** First path segments that are the API's own, e.g. `v1`. */
  apiPaths: readonly string[]
  logger: Logger
  /** Milliseconds since 1970. */
  now?: () => number
}
