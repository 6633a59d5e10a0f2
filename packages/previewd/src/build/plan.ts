import { posix } from 'node:path'
import type { Diagnostic } from '../model/diagnostic.ts'
import type { ProjectSettings } from '../model/project.ts'
import type { Task, ViteBuildOptions } from '../model/worker.ts'
import type { Shape } from './detect.ts'
import { type Command, expandLine, expandScript } from './script.ts'
import { frameworkBuild, type ServerFramework, serverFramework } from './server-rendered.ts'

/** The folder of the project's files inside the sandbox. */
export const APP = '/app'

/** What a build does, decided before anything runs. */
export type BuildPlan = { kind: 'static'; root: string } | TaskPlan

export interface TaskPlan {
  kind: 'tasks'
  root: string
  /** One after the other; the first that fails ends the build. */
  steps: Task[]
  /** Type checks: they run when the steps are done and cannot fail the build. */
  checks: Task[]
  /** Absolute inside the sandbox; undefined where only the build can tell. */
  outputDir: string | undefined
  /** Of a project whose pages need a server, unless its settings say where its pages are. */
  serverFramework?: ServerFramework
}

type Settings = Pick<ProjectSettings, 'buildCommand' | 'outputDir' | 'env' | 'mode'>

/**
 * Decides how a project is built. A script that is `[checks &&] vite build [known flags]` becomes a Vite task for the
 * worker's own process, with the checks beside it: a type error is reported and the build published all the same,
 * since an author wants to see the page while the types are red. Any other script runs as it is written.
 *
 * `allowedEnv` names what of the settings' `env` may reach the build besides `VITE_*`.
 */
export function planBuild(shape: Shape, settings: Settings, allowedEnv: readonly string[] = []): BuildPlan {
  if (shape.kind === 'static') return { kind: 'static', root: shape.root }
  const place = { cwd: posix.join(APP, shape.root), env: allowedVariables(settings.env, allowedEnv) }
  const line = withMode(buildLine(shape, settings), settings.mode)
  const { steps, checks } = toTasks(line, place)
  const framework = settings.outputDir === undefined ? serverFramework(shape.packageJson) : undefined
  return {
    kind: 'tasks',
    root: shape.root,
    steps,
    checks,
    outputDir: settings.outputDir === undefined ? undefined : posix.join(place.cwd, settings.outputDir),
    ...(framework && { serverFramework: framework }),
  }
}

/** The same build below another base path, as far as its steps can be told a base. */
export function planWithBase(plan: TaskPlan, base: string): TaskPlan {
  const steps = plan.steps.map((step) =>
    step.kind === 'vite-build' ? { ...step, options: { ...step.options, base } } : step,
  )
  return { ...plan, steps, checks: [] }
}

/** The same build with other variables, and in another mode where one is given and Vite can be told. */
export function planWithEnv(plan: TaskPlan, env: Record<string, string>, mode: string | undefined): TaskPlan {
  const steps = plan.steps.map((step): Task => {
    if (step.kind !== 'vite-build') return { ...step, env }
    return { ...step, env, options: { ...step.options, ...(mode && { mode }) } }
  })
  return { ...plan, steps, checks: [] }
}

export function hasViteTask(plan: BuildPlan): boolean {
  return plan.kind === 'tasks' && plan.steps.some((step) => step.kind === 'vite-build')
}

type Line = { commands: Command[] } | { asWritten: string }

function buildLine(shape: Exclude<Shape, { kind: 'static' }>, settings: Settings): Line {
  const scripts = shape.packageJson?.scripts ?? new Map<string, string>()
  if (settings.buildCommand) {
    const commands = expandLine(settings.buildCommand, scripts)
    return commands ? { commands } : { asWritten: settings.buildCommand }
  }
  if (!scripts.has('build')) {
    const text = frameworkBuild(shape.packageJson) ?? 'vite build'
    return { commands: [{ text, words: text.split(' ') }] }
  }
  const commands = expandScript('build', scripts)
  if (commands) return { commands }
  const parts = ['prebuild', 'build', 'postbuild'].flatMap((name) => scripts.get(name) ?? [])
  return {
    asWritten: parts.length === 1 ? (parts[0] ?? '') : parts.map((part) => `( ${part}\n)`).join(' && '),
  }
}

/** What is written after a command wins over what is in it: Vite takes the last of two modes. */
function withMode(line: Line, mode: string | undefined): Line {
  if (!mode || 'asWritten' in line) return line
  return {
    commands: line.commands.map((command) => (isViteBuild(command) ? inMode(command, mode) : command)),
  }
}

function inMode({ text, words }: Command, mode: string): Command {
  return { text: `${text} --mode ${mode}`, words: words && [...words, '--mode', mode] }
}

/** The warning for a mode that no command of the plan can be told. */
export function modeWarnings(plan: BuildPlan, { mode }: Pick<ProjectSettings, 'mode'>): Diagnostic[] {
  if (!mode || plan.kind === 'static' || plan.steps.some((step) => hasMode(step, mode))) return []
  const message = `The build script does not run "vite build" as a command of its own, so it was not built in mode "${mode}".`
  return [{ origin: 'config', severity: 'warning', code: 'MODE_NOT_APPLIED', message }]
}

function hasMode(step: Task, mode: string): boolean {
  if (step.kind === 'vite-build') return step.options.mode === mode
  return step.kind === 'shell' && step.command.endsWith(` --mode ${mode}`)
}

interface Place {
  cwd: string
  env: Record<string, string>
}

function toTasks(line: Line, place: Place): { steps: Task[]; checks: Task[] } {
  if ('asWritten' in line)
    return { steps: [{ kind: 'shell', command: line.asWritten, ...place }], checks: [] }
  const steps: Task[] = []
  const checks: Task[] = []
  const viteBuilds = line.commands.filter(isViteBuild).length
  for (const command of line.commands) {
    const options = viteBuilds === 1 ? viteOptions(command, place.cwd) : null
    if (options) steps.push({ kind: 'vite-build', root: place.cwd, options, env: place.env })
    else if (viteBuilds > 0 && isCheck(command))
      checks.push({ kind: 'shell', command: command.text, ...place })
    else steps.push({ kind: 'shell', command: command.text, ...place })
  }
  return { steps, checks }
}

/** What of the settings' variables may reach project code. */
export function allowedVariables(
  env: Record<string, string>,
  allowed: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => name.startsWith('VITE_') || allowed.includes(name)),
  )
}

function isViteBuild({ words }: Command): boolean {
  return words?.[0] === 'vite' && words[1] === 'build'
}

const CHECK_FLAGS =
  /^(?:-b|--build|--noEmit|--force|-p|--project|--pretty|--skipLibCheck|--incremental|--composite|true|false|[\w./-]+\.json|\.)$/
const CHECKERS = new Set(['tsc', 'vue-tsc', 'svelte-check'])

/** A type check that leaves nothing behind that the build reads. */
function isCheck({ words }: Command): boolean {
  if (!words || !CHECKERS.has(words[0] ?? '')) return false
  return words[0] === 'svelte-check' || words.slice(1).every((word) => CHECK_FLAGS.test(word))
}

/** The options of `vite build [flags]`, or null where a flag is one that the task does not know. */
function viteOptions(command: Command, cwd: string): ViteBuildOptions | null {
  if (!isViteBuild(command) || !command.words) return null
  const options: ViteBuildOptions = {}
  const rest = command.words.slice(2)
  while (rest.length > 0) {
    const [flag = '', inline] = splitOnce(rest.shift() ?? '', '=')
    const takeValue = () => inline ?? (rest[0]?.startsWith('-') === false ? rest.shift() : undefined)
    if (!setOption(options, flag, takeValue, cwd)) return null
  }
  return options
}

function setOption(
  options: ViteBuildOptions,
  flag: string,
  takeValue: () => string | undefined,
  cwd: string,
): boolean {
  switch (flag) {
    case '--emptyOutDir':
    case '--clearScreen':
    case '--logLevel':
    case '-l':
      takeValue()
      return true
    case '--minify':
    case '--sourcemap':
      options[flag === '--minify' ? 'minify' : 'sourcemap'] = toBooleanOrName(takeValue())
      return true
    case '--mode':
    case '-m':
      return assign(takeValue(), (value) => ({ mode: value }))
    case '--base':
      return assign(takeValue(), (value) => ({ base: value }))
    case '--outDir':
      return assign(takeValue(), (value) => ({ outDir: value }))
    case '--config':
    case '-c':
      return assign(takeValue(), (value) => ({ configFile: posix.resolve(cwd, value) }))
    default:
      return false
  }
  function assign(value: string | undefined, make: (value: string) => ViteBuildOptions): boolean {
    if (value === undefined) return false
    Object.assign(options, make(value))
    return true
  }
}

function toBooleanOrName(value: string | undefined): boolean | string {
  if (value === undefined || value === 'true') return true
  return value === 'false' ? false : value
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
