import type { Environment, Environments, NodeProgram, Nodes } from '../model/environment.ts'
import type { Snapshot } from '../model/files.ts'
import type { NodeChoice } from '../model/node-version.ts'
import { DevServerFailed } from './dev-worker.ts'

export interface RuntimeParts {
  environments: Pick<Environments, 'prepare'>
  nodes: Pick<Nodes, 'prepare'>
}

interface Wanted {
  /** Folder of package.json inside the files; undefined where no packages are needed. */
  root: string | undefined
  node: NodeChoice | undefined
}

/** The Node and the packages of what is served. Rejects with DevServerFailed for what the project cannot have. */
export async function prepareRuntime(
  { environments, nodes }: RuntimeParts,
  snapshot: Snapshot,
  { root, node }: Wanted,
  signal: AbortSignal,
): Promise<{ environment: Environment | null; program: NodeProgram | undefined }> {
  const found = await nodes.prepare(node, signal)
  if (!found.ok) throw new DevServerFailed(found.diagnostics[0]?.message ?? 'There is no such Node.')
  const program = found.node
  if (root === undefined) return { environment: null, program }
  const prepared = await environments.prepare(snapshot, { root, nodeVersion: program?.version, signal })
  if (!prepared.ok) throw new DevServerFailed(prepared.diagnostics[0]?.message ?? 'The install failed.')
  return { environment: prepared.environment, program }
}
