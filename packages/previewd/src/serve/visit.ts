import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Project } from '../model/project.ts'

/** One request for something of a project, after host, path and grant were looked at. */
export interface Visit {
  req: IncomingMessage
  res: ServerResponse
  project: Project
  /** Decoded, with its leading slash, relative to the preview's own root. */
  path: string
  /** Path of the preview's root on its origin, without a final slash: '' or `/preview/{id}`. */
  prefix: string
  /** May see what went wrong and where. */
  editor: boolean
}
