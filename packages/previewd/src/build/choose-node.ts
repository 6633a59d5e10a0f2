import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { Snapshot } from '../model/files.ts'
import { fittingMajor, type NodeChoice, type NodeOffer } from '../model/node-version.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { Shape } from './detect.ts'

const VERSION_FILES = ['.nvmrc', '.node-version']
const MAX_VERSION_FILE_BYTES = 1024
/** Names of long-term releases, as version managers take them. */
const CODE_NAMES: Readonly<Record<string, string>> = { iron: '20', jod: '22', krypton: '24' }

export interface ChosenNode {
  /** Undefined for the server's own. */
  node?: NodeChoice
  diagnostics: Diagnostic[]
}

/**
 * Decides which Node runs a project's code: the settings say so, else `.nvmrc` or `.node-version` (in its root, or at
 * the top), else `engines.node`. Those two count only where the server's own Node does not fit.
 */
export async function chooseNode(
  snapshot: Snapshot,
  shape: Shape,
  { nodeVersion }: Pick<ProjectSettings, 'nodeVersion'>,
  offer: NodeOffer,
): Promise<ChosenNode> {
  if (shape.kind === 'static') return { diagnostics: [] }
  const isRequired = Boolean(nodeVersion)
  const wish = nodeVersion
    ? { range: nodeVersion, from: 'nodeVersion' }
    : ((await wishOfFile(snapshot, shape.root)) ?? wishOfEngines(shape))
  if (wish === undefined) return { diagnostics: [] }
  const major = fittingMajor(wish.range, offer)
  if (major === undefined) return { diagnostics: [notOffered(wish, offer)] }
  return { ...(major !== offer.own && { node: { major, isRequired } }), diagnostics: [] }
}

interface Wish {
  range: string
  /** File, field or setting that has it. */
  from: string
  file?: string
}

async function wishOfFile(snapshot: Snapshot, root: string): Promise<Wish | undefined> {
  for (const file of [root, ''].flatMap((folder) => VERSION_FILES.map((name) => posix.join(folder, name)))) {
    const entry = snapshot.files.get(file)
    if (entry === undefined || entry.size > MAX_VERSION_FILE_BYTES) continue
    const text = (await snapshot.read(file)).toString('utf8').trim().split(/\s/, 1)[0] ?? ''
    // `node`, `stable` and `lts/*` are the newest, which the server's own stands for.
    const range = text.startsWith('lts/') ? CODE_NAMES[text.slice(4).toLowerCase()] : text
    return range !== undefined && /\d/.test(range) ? { range, from: file, file } : undefined
  }
  return undefined
}

function wishOfEngines(shape: Exclude<Shape, { kind: 'static' }>): Wish | undefined {
  const { packageJson } = shape
  if (!packageJson?.nodeRange) return undefined
  return { range: packageJson.nodeRange, from: 'engines.node', file: packageJson.path }
}

function notOffered({ range, from, file }: Wish, { own, others }: NodeOffer): Diagnostic {
  const majors = [...new Set([own, ...others])].sort((a, b) => a - b).join(', ')
  return {
    origin: 'config',
    severity: 'warning',
    code: 'NODE_VERSION_NOT_OFFERED',
    message: `${from} asks for Node ${range.slice(0, 100)}, and this server has ${majors}; Node ${own} is used.`,
    ...(file !== undefined && { file }),
  }
}
