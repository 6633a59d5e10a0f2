import { z } from 'zod'
import { isEnvSetName, MAX_ENV_SETS } from '../../model/env-set.ts'
import { status } from './build.ts'
import { time } from './common.ts'

const folder = z
  .string()
  .max(1024)
  .refine(isFolder, 'a folder inside the project: relative, with /, without ..')
  .overwrite((path) => path.replace(/\/$/, ''))

function isFolder(path: string): boolean {
  if (path === '') return true
  const segments = path.replace(/\/$/, '').split('/')
  return !/[\\\0]/.test(path) && segments.every((name) => name !== '' && name !== '.' && name !== '..')
}

const line = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => !/[\0\r\n]/.test(text), 'one line of text')

const writeThrough = z
  .boolean()
  .exactOptional()
  .meta({ description: 'Store files that are pushed in the source, too' })

const asked = [
  z.strictObject({ kind: z.literal('push') }),
  z.strictObject({ kind: z.literal('local'), path: line(4096) }),
  z.strictObject({
    kind: z.literal('git'),
    url: line(2048),
    ref: line(255).optional(),
    path: line(1024).optional(),
  }),
] as const

/** As a client asks for it: what is missing is filled in from PREVIEWD_SOURCES. */
const sourceInput = z
  .discriminatedUnion('kind', [
    ...asked,
    z.strictObject({
      kind: z.literal('azure-blob'),
      container: line(63).exactOptional(),
      prefix: line(1024).exactOptional(),
      writeThrough,
    }),
    z.strictObject({
      kind: z.literal('s3'),
      bucket: line(63).exactOptional(),
      prefix: line(1024).exactOptional(),
      writeThrough,
    }),
  ])
  .meta({ id: 'SourceRequest', description: 'What is left out comes from what the operator set' })

const source = z
  .discriminatedUnion('kind', [
    ...asked,
    z.strictObject({
      kind: z.literal('azure-blob'),
      container: z.string(),
      prefix: z.string(),
      writeThrough,
    }),
    z.strictObject({ kind: z.literal('s3'), bucket: z.string(), prefix: z.string(), writeThrough }),
  ])
  .meta({ id: 'Source', description: 'Where the files come from' })

const settings = {
  name: line(200),
  externalId: line(200).min(1).meta({ description: "The platform's own id" }),
  source,
  root: folder.meta({ description: 'Folder of package.json inside the files' }),
  framework: z.enum(['auto', 'vite', 'static', 'command']),
  buildCommand: line(2000),
  outputDir: folder,
  nodeVersion: z
    .string()
    .regex(/^[\d.x*^~<>=| -]{0,64}$/, 'a version range, e.g. ">=20"')
    .meta({ description: 'Node that runs its code; empty goes by its files' }),
  mode: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,40}$/, 'letters, digits, "_" and "-"')
    .refine((mode) => mode !== 'local', 'Vite keeps "local" for itself')
    .meta({ description: "Vite's mode, for builds and sessions; empty is the tool's own" }),
  spa: z.boolean(),
  visibility: z.enum(['public', 'private']),
  egress: z.enum(['none', 'allowlist', 'public']),
  proxy: z.record(z.string().startsWith('/').max(200), z.url({ protocol: /^https?$/ })),
  instrument: z.boolean(),
  autoInstall: z.boolean(),
}

const environmentName = z.string().regex(/^[A-Z_][A-Z0-9_]{0,127}$/, 'A-Z, 0-9 and _')

const env = z
  .record(environmentName, z.string().max(32_768).nullable())
  .refine((variables) => Object.keys(variables).length <= 200, 'at most 200 variables')
  .meta({ description: 'Replaces all variables; null keeps the value that a name has' })

const envSetName = z.string().refine(isEnvSetName, 'a-z, 0-9 and "-", at most 20, and not 12 of a-z and 0-9')

const envSets = z
  .record(envSetName, z.strictObject({ env, mode: settings.mode.exactOptional() }))
  .refine((sets) => Object.keys(sets).length <= MAX_ENV_SETS, `at most ${MAX_ENV_SETS} sets`)
  .meta({ description: 'Replaces all sets; null keeps the value that a name has in the set' })

/** The settings of a PUT: what is not given stays as it is. */
export const settingsInput = z
  .strictObject({
    name: settings.name.exactOptional(),
    externalId: settings.externalId.exactOptional(),
    source: sourceInput.exactOptional(),
    root: settings.root.exactOptional(),
    framework: settings.framework.exactOptional(),
    buildCommand: settings.buildCommand.exactOptional(),
    outputDir: settings.outputDir.exactOptional(),
    nodeVersion: settings.nodeVersion.exactOptional(),
    mode: settings.mode.exactOptional(),
    env: env.exactOptional(),
    envSets: envSets.exactOptional(),
    spa: settings.spa.exactOptional(),
    visibility: settings.visibility.exactOptional(),
    egress: settings.egress.exactOptional(),
    proxy: settings.proxy.exactOptional(),
    instrument: settings.instrument.exactOptional(),
    autoInstall: settings.autoInstall.exactOptional(),
  })
  .meta({ id: 'ProjectSettings' })

export type SettingsInput = z.output<typeof settingsInput>

export const project = z
  .object({
    id: z.string(),
    ...settings,
    name: settings.name.exactOptional(),
    externalId: settings.externalId.exactOptional(),
    buildCommand: settings.buildCommand.exactOptional(),
    outputDir: settings.outputDir.exactOptional(),
    nodeVersion: settings.nodeVersion.exactOptional(),
    mode: settings.mode.exactOptional(),
    env: z
      .record(z.string(), z.null())
      .meta({ description: 'The names that are set; values are never given back' }),
    envSets: z
      .record(
        z.string(),
        z.object({ env: z.record(z.string(), z.null()), mode: settings.mode.exactOptional() }),
      )
      .meta({ description: 'Variables with which it is built besides, by name' }),
    revision: z.number().int().meta({ description: '0 before the first files' }),
    published: z.object({ buildId: z.string(), revision: z.number().int() }).nullable(),
    createdAt: time,
    activeAt: time.meta({ description: 'Time of the newest change, build or setting' }),
    state: status.shape.state,
    urls: status.shape.urls,
  })
  .meta({ id: 'Project' })

export const projectWithStatus = project.extend({ status }).meta({ id: 'ProjectWithStatus' })
