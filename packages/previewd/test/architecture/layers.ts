import type { Import, SourceFile } from './source-tree.ts'

/** Stages meet through the interfaces in model/, never by importing one another. */
export const STAGES = [
  'access',
  'artifact',
  'build',
  'egress',
  'environment',
  'events',
  'serve',
  'session',
  'source',
  'store',
  'sync',
  'worker',
] as const

const LAYERS: Record<string, number> = {
  lib: 0,
  model: 1,
  config: 1,
  ...Object.fromEntries(STAGES.map((stage) => [stage, 2])),
  pipeline: 3,
  api: 4,
  cli: 4,
  doctor: 4,
  root: 5,
}

/** Folder that a file belongs to; `errors.ts` counts as model, other files at the top as the composition root. */
export function partOf(path: string): string {
  const [first = '', ...rest] = path.split('/')
  if (rest.length > 0) return first
  if (first === 'errors.ts') return 'model'
  return first === 'config.ts' ? 'config' : 'root'
}

/** One sentence for each import that goes the wrong way. */
export function wrongImports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.imports.flatMap((imported) => {
      const reason = imported.internal ? wrongReason(file.path, imported) : undefined
      return reason ? [`${file.path} imports ${imported.target}: ${reason}`] : []
    }),
  )
}

function wrongReason(path: string, { target, typeOnly }: Import): string | undefined {
  const from = partOf(path)
  const to = partOf(target)
  if (from === to) return undefined
  const [above, below] = [LAYERS[from], LAYERS[to]]
  if (above === undefined || below === undefined) return 'a folder without a layer: add it to layers.ts'
  if (to === 'config')
    return from === 'root' || typeOnly ? undefined : 'settings are handed in, only their types are imported'
  if (below < above) return undefined
  return below === above ? `${from} and ${to} do not know one another` : `${to} stands above ${from}`
}

/** Groups of files that import one another in a circle, values or types. Tarjan's algorithm. */
export function importCycles(files: readonly SourceFile[]): string[][] {
  const edges = new Map(
    files.map((file) => [file.path, file.imports.filter((i) => i.internal).map((i) => i.target)]),
  )
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []

  function visit(path: string): number {
    const order = index.size
    index.set(path, order)
    low.set(path, order)
    stack.push(path)
    for (const next of edges.get(path) ?? []) {
      if (!index.has(next)) low.set(path, Math.min(low.get(path) ?? order, visit(next)))
      else if (stack.includes(next)) low.set(path, Math.min(low.get(path) ?? order, index.get(next) ?? order))
    }
    const lowest = low.get(path) ?? order
    if (lowest === order) {
      const group = stack.splice(stack.indexOf(path))
      if (group.length > 1) cycles.push(group.toSorted())
    }
    return lowest
  }

  for (const path of edges.keys()) if (!index.has(path)) visit(path)
  return cycles
}
