import { PreviewdError } from '../errors.ts'

/** Labels that name the server's own hosts, today or some day, or that a viewer would take for them. */
const RESERVED = new Set([
  'admin',
  'api',
  'app',
  'assets',
  'auth',
  'cdn',
  'dashboard',
  'docs',
  'healthz',
  'localhost',
  'login',
  'mail',
  'metrics',
  'mcp',
  'ns1',
  'ns2',
  'preview',
  'previewd',
  'previews',
  'proxy',
  'public',
  'root',
  'static',
  'status',
  'system',
  'wpad',
  'www',
])

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/**
 * Whether this can name a project: a DNS label of at most 40 characters, so that it can be a host name and a folder.
 * Without `--`, which separates a build from its project and marks punycode.
 */
export function isProjectId(id: string): boolean {
  return LABEL.test(id) && !id.includes('--') && !RESERVED.has(id)
}

/** Throws INVALID_PROJECT_ID. */
export function checkProjectId(id: string): void {
  if (isProjectId(id)) return
  const reason = RESERVED.has(id)
    ? 'This name is reserved.'
    : 'A project id is 1 to 40 characters of a-z, 0-9 and "-", without "-" at its ends and without "--".'
  throw new PreviewdError('INVALID_PROJECT_ID', reason)
}
