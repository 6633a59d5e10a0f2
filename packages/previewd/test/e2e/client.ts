import { request } from 'node:http'
import type { FileChange } from '../../src/model/files.ts'
import type { ProjectSettings } from '../../src/model/project.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import type { Files } from './project-files.ts'

export interface PushAnswer {
  /** HTTP status: 200 where the point waited for was reached, 4xx with a problem. */
  code: number
  project: string
  revision: number
  changed: FileChange[]
  unchanged: number
  status: ProjectStatus
  /** Code and detail of a refused request. */
  problem?: { code: string; detail: string }
}

export interface PushOptions {
  wait?: 'applied' | 'built' | 'live' | 'painted'
  deleted?: string[]
  baseRevision?: number
}

export interface Answer {
  code: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

const MOST_HELD_MS = 120_000
/** The time was over before the point that is waited for was reached. */
const HTTP_ACCEPTED = 202

/** The few calls of the HTTP API that the end-to-end tests make. */
export class Client {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Waits for as long as it takes: the test has a time-out, and the server holds no call for so long. */
  async push(id: string, files: Files, options: PushOptions = {}): Promise<PushAnswer> {
    const answer = await this.#pushOnce(id, files, options)
    if (answer.code !== HTTP_ACCEPTED) return answer
    const { code, status } = await this.push(id, {}, { wait: options.wait ?? 'built' })
    return { ...answer, code, status }
  }

  async #pushOnce(id: string, files: Files, options: PushOptions): Promise<PushAnswer> {
    const { wait = 'built', deleted, baseRevision } = options
    const response = await fetch(
      `${this.url}/v1/projects/${id}/changes?wait=${wait}&timeoutMs=${MOST_HELD_MS}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ files, deleted, baseRevision }),
      },
    )
    const body = (await response.json()) as Omit<PushAnswer, 'code'> & { code?: string; detail?: string }
    const { code = '', detail = '' } = body
    return { ...body, code: response.status, ...(response.ok ? {} : { problem: { code, detail } }) }
  }

  async settings(id: string, settings: Partial<ProjectSettings>): Promise<number> {
    const response = await fetch(`${this.url}/v1/projects/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(settings),
    })
    await response.arrayBuffer()
    return response.status
  }

  /** Starts the live session or keeps it alive; or ends it. */
  async session(id: string, method: 'PUT' | 'DELETE'): Promise<number> {
    const response = await fetch(`${this.url}/v1/projects/${id}/session`, { method })
    await response.arrayBuffer()
    return response.status
  }

  /** A token that opens the project's preview. */
  async grant(id: string, role: 'editor' | 'viewer'): Promise<string> {
    const response = await fetch(`${this.url}/v1/projects/${id}/grants`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ role, expiresInSeconds: 3600 }),
    })
    return ((await response.json()) as { token: string }).token
  }

  async status(id: string): Promise<ProjectStatus> {
    const response = await fetch(`${this.url}/v1/projects/${id}/status`)
    return (await response.json()) as ProjectStatus
  }

  /** Asks for a build of the current revision and waits for its end. */
  async build(id: string): Promise<{ code: number }> {
    const response = await fetch(
      `${this.url}/v1/projects/${id}/builds?wait=built&timeoutMs=${MOST_HELD_MS}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      },
    )
    await response.arrayBuffer()
    return { code: response.status }
  }

  async log(id: string): Promise<string> {
    const response = await fetch(`${this.url}/v1/projects/${id}/logs`)
    return response.text()
  }

  /** The address of the origin of its own that a browser resolves by itself. */
  previewUrl(id: string, path = '/'): string {
    return `http://${id}.localhost:${new URL(this.url).port}${path}`
  }

  pathUrl(id: string, path = ''): string {
    return `${this.url}/preview/${id}/${path}`
  }

  /** Reads a preview at its origin; Node does not resolve `*.localhost`, so the name goes into the Host header. */
  preview(id: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    const { port, host } = new URL(this.previewUrl(id))
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, headers: { ...headers, host } }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        )
      })
      sent.on('error', reject)
      sent.end()
    })
  }
}
