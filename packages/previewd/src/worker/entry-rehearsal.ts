import { mkdirSync, rmSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { makeSampleFolder, SAMPLE, writeSample } from './entry-rehearsal-sample.ts'
import { loadTools, type Tools } from './entry-rehearsal-tools.ts'

/** Sent to a Node that waits, before it knows a project. */
export interface RehearsalRequest {
  type: 'rehearse'
  cwd: string
}

export type RehearsalAnswer = { type: 'rehearsed'; failure?: string }

const MAX_FAILURE_LENGTH = 500

/**
 * Loads the Vite and the plugins that a folder finds and runs them over a small app of our own, so that their code is
 * read and compiled when a project comes. What they do when they are loaded stays, as they would do it for the project;
 * what the sample makes of this process (variables, global names, listeners, output) is taken back. A framework that brings
 * a Vite of its own is loaded, no more. Never rejects.
 */
export async function rehearse(
  cwd: string,
  mode: 'development' | 'production',
  play: (tools: Tools, addresses: readonly string[]) => Promise<void>,
  loadFramework: (cwd: string) => Promise<boolean> = async () => false,
): Promise<RehearsalAnswer> {
  const restore: (() => void)[] = [muteOutput()]
  try {
    // As it will be for the project: tools take the folder that they are loaded in for its own.
    mkdirSync(cwd, { recursive: true })
    process.chdir(cwd)
    process.env.NODE_ENV = mode
    restore.push(() => delete process.env.NODE_ENV)
    if (await loadFramework(cwd)) return { type: 'rehearsed' }
    makeSampleFolder(cwd)
    const tools = await loadTools(cwd)
    restore.unshift(keepEnvironment(), keepGlobals(), keepListeners())
    await play(tools, writeSample(tools))
    return { type: 'rehearsed' }
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return { type: 'rehearsed', failure: message.slice(0, MAX_FAILURE_LENGTH) }
  } finally {
    rmSync(SAMPLE, { recursive: true, force: true })
    for (const one of restore) one()
    collectGarbage()
  }
}

function keepEnvironment(): () => void {
  const { argv, exitCode, title } = process
  const before = { ...process.env }
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
    Object.assign(process, { argv, exitCode, title })
  }
}

function keepGlobals(): () => void {
  const names = new Set(Reflect.ownKeys(globalThis))
  return () => {
    for (const name of Reflect.ownKeys(globalThis)) {
      if (!names.has(name)) Reflect.deleteProperty(globalThis, name)
    }
  }
}

function keepListeners(): () => void {
  const before = new Map(
    process.eventNames().map((name) => [name, new Set(process.rawListeners(name as never))]),
  )
  return () => {
    for (const name of process.eventNames()) {
      for (const listener of process.rawListeners(name as never)) {
        if (!before.get(name)?.has(listener)) process.removeListener(name, listener as never)
      }
    }
  }
}

/** What is said now would stand in the log of the project. */
function muteOutput(): () => void {
  const silent = ((...args: unknown[]) => {
    const done = args.at(-1)
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }) as typeof process.stdout.write
  const streams = [process.stdout, process.stderr]
  const originals = streams.map(({ write }) => write)
  for (const stream of streams) stream.write = silent
  return () => {
    for (const [index, stream] of streams.entries()) stream.write = originals[index] as typeof stream.write
  }
}

/** A worker that waits should hold as little as it can; this way, more than half of the memory goes back. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: object) => void
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  setFlagsFromString('--no-expose-gc')
}
