import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createArtifacts, type DiskArtifacts } from '../../src/artifact/artifacts.ts'
import type { Artifact } from '../../src/model/artifact.ts'
import type { Build } from '../../src/model/build.ts'
import type { ProjectEvent } from '../../src/model/event.ts'
import type { GrantRole } from '../../src/model/grant.ts'
import { DEFAULT_SETTINGS, type Project, type ProjectSettings } from '../../src/model/project.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import { createGateway, type Gateway } from '../../src/serve/gateway.ts'
import type { GatewayOptions } from '../../src/serve/gateway-options.ts'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
}

/** A gateway on a loopback port over artifacts on disk; projects, builds and status are plain values of the test. */
export class PreviewServer {
  readonly artifacts: DiskArtifacts
  readonly projects = new Map<string, Project>()
  readonly builds: Build[] = []
  readonly statuses = new Map<string, Partial<ProjectStatus>>()
  /** `{project}:{role}` by token. */
  readonly tokens = new Map<string, string>()
  readonly logged: unknown[] = []
  envSet: GatewayOptions['envSet'] = async () => undefined
  variant: GatewayOptions['variant'] = async () => 'building'
  editor = false
  nowMs = Date.now()
  readonly #dataDir: string
  readonly #server: Server
  #pathServer: Server | undefined
  readonly #listeners = new Set<(event: ProjectEvent) => void>()
  readonly gateway: Gateway

  private constructor(dataDir: string, overrides: Partial<GatewayOptions>) {
    this.#dataDir = dataDir
    this.artifacts = createArtifacts({ dataDir, cacheBytes: 8 * 1024 * 1024 })
    this.gateway = createGateway({ ...this.#options(), ...overrides })
    this.#server = createServer((req, res) => {
      if (this.gateway.matches(req)) this.gateway.handle(req, res)
      else res.writeHead(200, { 'Content-Type': 'text/html' }).end('the API')
    })
    this.#server.on('upgrade', (req, socket, head) => this.gateway.handleUpgrade(req, socket, head))
  }

  static async start(overrides: Partial<GatewayOptions> = {}): Promise<PreviewServer> {
    const server = new PreviewServer(await mkdtemp(join(tmpdir(), 'serve-')), overrides)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  /** The listener of its own that same-origin path mode has; answers with its origin. */
  async startPathListener(): Promise<string> {
    const server = createServer((req, res) => this.gateway.handleOnPathListener(req, res))
    this.#pathServer = server
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  originOf(label: string): string {
    return `http://${label}.localhost:${this.port}`
  }

  addProject(id: string, settings: Partial<ProjectSettings> = {}): Project {
    const times = { createdAt: '2026-01-01T00:00:00Z', activeAt: '2026-01-01T00:00:00Z' }
    const project: Project = { id, settings: { ...DEFAULT_SETTINGS, ...settings }, revision: 1, ...times }
    this.projects.set(id, project)
    return project
  }

  /** Makes a succeeded build of these files; `finishedAt` defaults to now. */
  async addBuild(
    project: string,
    buildId: string,
    files: Record<string, string | Buffer>,
    finishedAtMs = this.nowMs,
  ): Promise<Artifact> {
    const writer = await this.artifacts.create(project, buildId)
    for (const [path, content] of Object.entries(files)) await writer.add(path, Buffer.from(content))
    const artifact = await writer.seal()
    const at = new Date(finishedAtMs).toISOString()
    const state = 'succeeded' as const
    this.builds.unshift({
      id: buildId,
      project,
      revision: 1,
      state,
      queuedAt: at,
      finishedAt: at,
      artifact,
      diagnostics: [],
      timings: {},
    })
    return this.artifacts.open(project, buildId)
  }

  publish(id: string, buildId: string): void {
    const project = this.projects.get(id)
    if (project === undefined) throw new Error(`There is no project ${id}.`)
    this.projects.set(id, { ...project, published: { buildId, revision: project.revision } })
    this.tell(id)
  }

  pathOf(project: string, buildId: string, name: string): string {
    return join(this.#dataDir, 'projects', project, 'builds', buildId, name)
  }

  /** A project with one published build. */
  async addSite(
    id: string,
    files: Record<string, string | Buffer>,
    settings: Partial<ProjectSettings> = {},
  ): Promise<void> {
    this.addProject(id, settings)
    await this.addBuild(id, 'build0000001', files)
    this.publish(id, 'build0000001')
  }

  setStatus(id: string, status: Partial<ProjectStatus>): void {
    this.statuses.set(id, status)
    this.tell(id)
  }

  tell(project: string, type: ProjectEvent['type'] = 'status'): void {
    for (const listener of this.#listeners) {
      listener({ id: 1, type, project, at: '2026-01-01T00:00:00Z', data: {} })
    }
  }

  /** Asks with this Host and nothing that a browser would add. */
  get(host: string, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const to = {
        host: '127.0.0.1',
        port: this.port,
        path,
        method,
        headers: { host, ...headers },
        agent: false,
      }
      const req = request(to, (res) => resolve(collect(res)))
      req.on('error', reject).end()
    })
  }

  async stop(): Promise<void> {
    this.gateway.close()
    this.#server.closeAllConnections()
    this.#pathServer?.closeAllConnections()
    this.#pathServer?.close()
    await new Promise((resolve) => this.#server.close(resolve))
    this.artifacts.close()
    await rm(this.#dataDir, { recursive: true, force: true })
  }

  #options(): GatewayOptions {
    return {
      projects: { get: (id) => this.projects.get(id) },
      builds: {
        get: (project, id) => this.builds.find((build) => build.project === project && build.id === id),
        list: (project) => ({
          items: this.builds.filter((build) => build.project === project),
          nextCursor: null,
        }),
      },
      artifacts: this.artifacts,
      grants: { verify: (token, project) => this.#verify(token, project) },
      events: { listen: (listener) => this.#listen(listener) },
      status: (id) => this.#statusOf(id),
      isEditor: () => this.editor,
      isOwnKey: (authorization) => authorization === 'Bearer pvd_own',
      envSet: (project, name) => this.envSet(project, name),
      variant: (project, buildId) => this.variant(project, buildId),
      previewDomain: () => 'localhost',
      pathMode: 'redirect',
      frameAncestors: [],
      apiPaths: ['v1'],
      logger: { error: (fields) => this.logged.push(fields), debug: () => undefined },
      now: () => this.nowMs,
    }
  }

  #verify(token: string, project: string): { role: GrantRole } | undefined {
    const [owner, role] = this.tokens.get(token)?.split(':') ?? []
    return owner === project && (role === 'viewer' || role === 'editor') ? { role } : undefined
  }

  #listen(listener: (event: ProjectEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #statusOf(id: string): ProjectStatus {
    const project = this.projects.get(id)
    if (project === undefined) throw new Error(`There is no project ${id}.`)
    return {
      project: id,
      revision: project.revision,
      state: project.published ? 'ready' : 'empty',
      build: null,
      published: project.published ?? null,
      session: { state: 'off', viewers: 0, restarts: 0 },
      painted: null,
      urls: { preview: '', path: '' },
      diagnostics: [],
      timings: {},
      ...this.statuses.get(id),
    }
  }
}

async function collect(res: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  return { status: res.statusCode ?? 0, headers: res.headers, body, text: body.toString() }
}
