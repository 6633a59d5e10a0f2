import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FileEvent } from './entry-dev-batch.ts'

type Call = (...args: unknown[]) => unknown
type Module = Record<string, unknown>

/** Which argument names the file that a call leaves behind, and which one the file that it takes away. */
const CALLS: Record<string, { written?: number; removed?: number }> = {
  writeFile: { written: 0 },
  copyFile: { written: 1 },
  rename: { written: 1, removed: 0 },
  unlink: { removed: 0 },
  rm: { removed: 0 },
}

/**
 * Reports the files that plugins write or remove (route trees, generated types), which nobody would see without a
 * watcher. Must be called before the plugins are imported. `isWatched` is asked with absolute paths.
 */
export function observeWrites(
  isWatched: (file: string) => boolean,
  report: (event: FileEvent) => void,
): void {
  const promises = fs.promises as unknown as Module
  const callbacks = fs as unknown as Module
  for (const [name, files] of Object.entries(CALLS)) {
    const observe = (args: unknown[]) => beginObservation(files, args, isWatched, report)
    wrapPromise(promises, name, observe)
    wrapCallback(callbacks, name, observe)
    wrapSync(callbacks, `${name}Sync`, observe)
  }
  syncBuiltinESMExports()
}

type Observe = (args: unknown[]) => () => void

function beginObservation(
  { written, removed }: { written?: number; removed?: number },
  args: unknown[],
  isWatched: (file: string) => boolean,
  report: (event: FileEvent) => void,
): () => void {
  const watched = (index: number | undefined) => {
    const file = index === undefined ? undefined : toPath(args[index])
    return file !== undefined && isWatched(file) ? file : undefined
  }
  const target = watched(written)
  const gone = watched(removed)
  const existed = target !== undefined && fs.existsSync(target)
  return () => {
    if (gone !== undefined) report({ file: gone, kind: 'unlink' })
    if (target !== undefined) report({ file: target, kind: existed ? 'change' : 'add' })
  }
}

function wrapPromise(module: Module, name: string, observe: Observe): void {
  const call = module[name] as Call
  module[name] = async (...args: unknown[]) => {
    const done = observe(args)
    const result = await call.apply(module, args)
    done()
    return result
  }
}

function wrapCallback(module: Module, name: string, observe: Observe): void {
  const call = module[name] as Call
  module[name] = (...args: unknown[]) => {
    const done = observe(args)
    const callback = args.at(-1)
    if (typeof callback !== 'function') return call.apply(module, args)
    const answered = (error: unknown, ...rest: unknown[]) => {
      if (!error) done()
      callback(error, ...rest)
    }
    return call.apply(module, [...args.slice(0, -1), answered])
  }
}

function wrapSync(module: Module, name: string, observe: Observe): void {
  const call = module[name] as Call
  module[name] = (...args: unknown[]) => {
    const done = observe(args)
    const result = call.apply(module, args)
    done()
    return result
  }
}

function toPath(value: unknown): string | undefined {
  if (typeof value === 'string') return resolve(value)
  return value instanceof URL && value.protocol === 'file:' ? fileURLToPath(value) : undefined
}
