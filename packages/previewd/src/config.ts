import { availableParallelism, homedir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { registryOfNpm } from './lib/npm-registry.ts'
import { type OriginPattern, parseOriginPattern } from './lib/origin-pattern.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

const OWN_NODE = Number.parseInt(process.versions.node, 10)

const bytes = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const count = bytes
const flag = z
  .enum(['0', '1', 'true', 'false'])
  .transform((value) => value === '1' || value === 'true')
  .optional()
const list = z
  .string()
  .default('')
  .transform((value) => value.split(',').flatMap((item) => item.trim() || []))

const majors = z
  .string()
  .default('20,22,24')
  .pipe(z.string().regex(/^(?:\d{2}(?:,\s*\d{2})*)?$/, 'majors of Node, e.g. 20,22'))
  .transform((text) => text.split(',').flatMap((major) => (major.trim() === '' ? [] : Number(major))))

const origins = list.transform((texts, context) =>
  texts.flatMap((text) => {
    try {
      return parseOriginPattern(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return []
    }
  }),
)

/** The machine's, or the container's. */
const machineBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity)

/** The rest is for the server itself and the kernel's cache of files. */
const defaultMemory = Math.floor(machineBytes * 0.75)

/** Builds beside one another: a build keeps about one core busy and may take 2 GiB. */
const defaultConcurrency = Math.max(1, Math.min(availableParallelism(), Math.floor(machineBytes / (3 * GIB))))

/** Live sessions beside one another; how many fit at a time, memory decides. */
const defaultSessions = Math.max(1, Math.min(200, Math.floor(machineBytes / (128 * MIB))))

/** Workers that wait: each holds 80 to 200 MiB. */
const defaultPool = Math.min(3, Math.floor(machineBytes / (3 * GIB)))

/** Servers of builds that run beside one another. */
const defaultServers = Math.max(1, Math.min(25, Math.floor(machineBytes / (4 * GIB))))

const environmentSchema = z.object({
  PREVIEWD_HOST: z.string().default('127.0.0.1'),
  PREVIEWD_PORT: z.coerce.number().int().min(0).max(65535).default(4400),
  PREVIEWD_DATA: z.string().default('/var/lib/previewd'),
  PREVIEWD_API_KEY: z.string().min(16).optional(),
  PREVIEWD_PREVIEW_DOMAIN: z.string().optional(),
  PREVIEWD_PUBLIC_URL: z.url().optional(),
  PREVIEWD_PATH_MODE: z.enum(['redirect', 'sandboxed', 'same-origin']).optional(),
  PREVIEWD_PATH_PORT: z.coerce.number().int().min(0).max(65535).default(4401),
  PREVIEWD_ALLOWED_HOSTS: list,
  PREVIEWD_ALLOWED_ORIGINS: list,
  PREVIEWD_FRAME_ANCESTORS: list,
  PREVIEWD_REGISTRY: z.url().optional(),
  PREVIEWD_REGISTRY_TOKEN: z.string().optional(),
  PREVIEWD_MINIMUM_RELEASE_AGE_MINUTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(24 * 60),
  PREVIEWD_ALLOWED_ENV: list,
  PREVIEWD_NODE_VERSIONS: majors,
  PREVIEWD_SANDBOX: z.enum(['full', 'reduced', 'off']).default('full'),
  PREVIEWD_BUILD_CONCURRENCY: count(defaultConcurrency),
  PREVIEWD_BUILD_QUEUE: count(1000),
  PREVIEWD_BUILD_TIMEOUT_MS: count(120_000),
  PREVIEWD_BUILD_MEMORY: bytes(2 * GIB),
  PREVIEWD_BUILD_PROCESSES: count(256),
  PREVIEWD_BUILDS_KEPT: count(5),
  PREVIEWD_BUILD_QUIET_MS: z.coerce.number().int().min(0).max(600_000).default(1500),
  PREVIEWD_INSTALL_TIMEOUT_MS: count(180_000),
  PREVIEWD_MEMORY: bytes(defaultMemory),
  PREVIEWD_MAX_SESSIONS: count(defaultSessions),
  PREVIEWD_SESSION_MEMORY: bytes(GIB),
  PREVIEWD_SESSION_IDLE_MS: count(15 * 60_000),
  PREVIEWD_POOL_SIZE: z.coerce.number().int().min(0).max(64).default(defaultPool),
  PREVIEWD_MAX_SERVERS: count(defaultServers),
  PREVIEWD_SERVER_MEMORY: bytes(512 * MIB),
  PREVIEWD_SERVER_IDLE_MS: count(5 * 60_000),
  PREVIEWD_EGRESS: z.enum(['none', 'allowlist', 'public']).default('none'),
  PREVIEWD_EGRESS_ALLOW: list,
  PREVIEWD_EGRESS_PRIVATE: list,
  PREVIEWD_PROXY_TARGETS: origins,
  PREVIEWD_PROXY_TIMEOUT_MS: count(60_000),
  PREVIEWD_PROXY_REQUESTS: count(128),
  PREVIEWD_SOURCES: list,
  PREVIEWD_SOURCE_TIMEOUT_MS: count(15_000),
  PREVIEWD_AZURE_CONNECTION_STRING: z.string().min(1).optional(),
  PREVIEWD_AZURE_ACCOUNT: z
    .string()
    .regex(/^[a-z0-9]{3,24}$/, 'the name of a storage account')
    .optional(),
  PREVIEWD_AZURE_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  PREVIEWD_AZURE_KEY: z.string().min(1).optional(),
  PREVIEWD_AZURE_SAS: z.string().min(1).optional(),
  PREVIEWD_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  PREVIEWD_S3_REGION: z.string().min(1).optional(),
  PREVIEWD_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  PREVIEWD_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  PREVIEWD_LOCAL_ROOTS: list,
  PREVIEWD_GIT_HOSTS: list,
  PREVIEWD_GIT_TOKENS: list,
  PREVIEWD_GIT_PRIVATE: list,
  PREVIEWD_GIT_CA: z.string().min(1).optional(),
  PREVIEWD_GIT_TIMEOUT_MS: count(120_000),
  PREVIEWD_MAX_FILE: bytes(100 * MIB),
  PREVIEWD_MAX_PROJECT: bytes(GIB),
  PREVIEWD_MAX_FILES: count(20_000),
  PREVIEWD_MAX_BODY: bytes(256 * MIB),
  PREVIEWD_MAX_ARTIFACT: bytes(512 * MIB),
  PREVIEWD_MAX_ARTIFACT_FILES: count(20_000),
  PREVIEWD_MAX_LOG: bytes(4 * MIB),
  PREVIEWD_CACHE_BYTES: bytes(128 * MIB),
  PREVIEWD_RATE_LIMIT: count(100_000),
  PREVIEWD_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PREVIEWD_UNSAFE_NO_SANDBOX: flag,
})

type Environment = z.output<typeof environmentSchema>

const clientSchema = z.object({
  PREVIEWD_URL: z.url({ protocol: /^https?$/ }).optional(),
  PREVIEWD_API_KEY: z.string().optional(),
  PREVIEWD_PORT: z.string().default('4400'),
})

/** How to reach Azure Blob Storage: all of it in one text, or an account with a key, a SAS or an identity of the machine. */
export interface AzureSettings {
  connectionString: string | undefined
  account: string | undefined
  /** Where blobs are, if not at the account's public address. */
  endpoint: string | undefined
  key: string | undefined
  sas: string | undefined
}

/** How to reach S3. What is not given is looked for as the AWS SDK does: environment, files, role of the machine. */
export interface S3Settings {
  endpoint: string | undefined
  region: string | undefined
  accessKeyId: string | undefined
  secretAccessKey: string | undefined
}

/** From where repositories may be cloned, and with what. */
export interface GitSettings {
  /** `github.com`, `*.example.org`, `git.example.org:8443`, or `http://` before one without TLS. */
  hosts: string[]
  /** `host=token` or `host=user:token`. */
  tokens: string[]
  /** Networks in CIDR notation that these hosts may have addresses in although they are not public. */
  privateNetworks: string[]
  /** File of certificate authorities instead of the system's. */
  authorities: string | undefined
  /** For one fetch. */
  timeoutMs: number
}

/** Everything the operator can set, resolved. Sizes in bytes, times in milliseconds. */
export interface Config {
  host: string
  port: number
  dataDir: string
  apiKey: string | undefined
  /** Host and port that project labels are put in front of, e.g. `localhost:4400`; undefined follows the port. */
  previewDomain: string | undefined
  publicUrl: string | undefined
  pathMode: 'redirect' | 'sandboxed' | 'same-origin'
  /** Port of the listener of its own that same-origin path mode has. */
  pathPort: number
  allowedHosts: string[]
  allowedOrigins: string[]
  frameAncestors: string[]
  registry: { url: string; token: string | undefined; minimumReleaseAgeMinutes: number }
  allowedEnv: string[]
  /** Majors of Node that run project code: the server's own, and those that it may download. */
  nodes: { own: number; others: number[] }
  /** The lowest tier at which project code may run. */
  sandbox: 'full' | 'reduced' | 'off'
  build: {
    concurrency: number
    queue: number
    timeoutMs: number
    installTimeoutMs: number
    memoryBytes: number
    processes: number
    kept: number
    /** How long edits of a project with a live session have to pause before it is built. */
    quietMs: number
    artifactBytes: number
    artifactFiles: number
    logBytes: number
  }
  /** Of all that is started: sessions, builds, checks, servers, workers that wait. */
  memoryBytes: number
  sessions: { max: number; memoryBytes: number; idleMs: number }
  /** Workers that wait, made ready, for the next session or build. */
  poolSize: number
  /** Of builds whose pages a server renders. */
  servers: { max: number; memoryBytes: number; idleMs: number }
  /** The most that a project can reach on its server side. */
  egress: { maximum: 'none' | 'allowlist' | 'public'; allowedHosts: string[]; privateNetworks: string[] }
  /** Back ends that previews may reach: which, how long one may be silent, requests of one project at once. */
  proxy: { targets: OriginPattern[]; timeoutMs: number; requests: number }
  sources: {
    /** Places that projects may be fetched from, e.g. `azure-blob:projects/{projectId}/frontend/`; the first is the default. */
    places: string[]
    /** How long a source may be silent within one request. */
    timeoutMs: number
    azure: AzureSettings
    s3: S3Settings
    /** Folders of this machine below which projects may lie; absolute. */
    localRoots: string[]
    git: GitSettings
  }
  limits: {
    fileBytes: number
    projectBytes: number
    files: number
    bodyBytes: number
    requestsPerMinute: number
  }
  cacheBytes: number
  logLevel: Environment['PREVIEWD_LOG_LEVEL']
}

/** Reads the configuration; throws a readable Error that names each bad variable. */
export function resolveConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = environmentSchema.safeParse(environment)
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new Error(`The configuration is not valid.\n${lines.join('\n')}`)
  }
  return toConfig(parsed.data, () => findRegistry({ ...process.env, ...environment }))
}

/** The same with some variables given on the command line, which win over those of the environment. */
export function resolveServeConfig(
  overrides: Record<string, string>,
  defaults: Record<string, string> = {},
): Config {
  return resolveConfig({ ...defaults, ...process.env, ...overrides })
}

/** Where things are kept that may be lost. Root's is outside of its home, which sandbox users cannot enter. */
export function resolveCacheDir(environment: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return '/var/cache/previewd'
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'previewd')
}

/** Which server the command line talks to, and with which key. */
export interface ClientConfig {
  url: string
  apiKey: string | undefined
}

/** Reads what the command line needs besides its options; throws a readable Error. */
export function resolveClientConfig(environment: NodeJS.ProcessEnv = process.env): ClientConfig {
  const parsed = clientSchema.safeParse(environment)
  if (!parsed.success) throw new Error('PREVIEWD_URL is not a URL.')
  const { PREVIEWD_URL, PREVIEWD_API_KEY, PREVIEWD_PORT } = parsed.data
  return { url: PREVIEWD_URL ?? `http://127.0.0.1:${PREVIEWD_PORT}`, apiKey: PREVIEWD_API_KEY }
}

function findRegistry(environment: NodeJS.ProcessEnv): string {
  const registry = registryOfNpm(environment)
  if (registry !== undefined) return registry
  throw new Error(
    'npm does not tell which registry this machine uses: set PREVIEWD_REGISTRY to the address of a package registry.',
  )
}

function toConfig(env: Environment, defaultRegistry: () => string): Config {
  return {
    host: env.PREVIEWD_HOST,
    port: env.PREVIEWD_PORT,
    // Sandboxes are made in other folders, where a relative name would mean something else.
    dataDir: resolve(env.PREVIEWD_DATA),
    apiKey: env.PREVIEWD_API_KEY,
    previewDomain: env.PREVIEWD_PREVIEW_DOMAIN,
    publicUrl: env.PREVIEWD_PUBLIC_URL,
    pathMode: env.PREVIEWD_PATH_MODE ?? 'redirect',
    pathPort: env.PREVIEWD_PATH_PORT,
    allowedHosts: env.PREVIEWD_ALLOWED_HOSTS,
    allowedOrigins: env.PREVIEWD_ALLOWED_ORIGINS,
    frameAncestors: env.PREVIEWD_FRAME_ANCESTORS,
    registry: {
      url: env.PREVIEWD_REGISTRY ?? defaultRegistry(),
      token: env.PREVIEWD_REGISTRY_TOKEN,
      minimumReleaseAgeMinutes: env.PREVIEWD_MINIMUM_RELEASE_AGE_MINUTES,
    },
    allowedEnv: env.PREVIEWD_ALLOWED_ENV,
    nodes: { own: OWN_NODE, others: env.PREVIEWD_NODE_VERSIONS.filter((major) => major !== OWN_NODE) },
    sandbox: env.PREVIEWD_UNSAFE_NO_SANDBOX ? 'off' : env.PREVIEWD_SANDBOX,
    build: {
      concurrency: env.PREVIEWD_BUILD_CONCURRENCY,
      queue: env.PREVIEWD_BUILD_QUEUE,
      timeoutMs: env.PREVIEWD_BUILD_TIMEOUT_MS,
      installTimeoutMs: env.PREVIEWD_INSTALL_TIMEOUT_MS,
      memoryBytes: env.PREVIEWD_BUILD_MEMORY,
      processes: env.PREVIEWD_BUILD_PROCESSES,
      kept: env.PREVIEWD_BUILDS_KEPT,
      quietMs: env.PREVIEWD_BUILD_QUIET_MS,
      artifactBytes: env.PREVIEWD_MAX_ARTIFACT,
      artifactFiles: env.PREVIEWD_MAX_ARTIFACT_FILES,
      logBytes: env.PREVIEWD_MAX_LOG,
    },
    memoryBytes: env.PREVIEWD_MEMORY,
    sessions: {
      max: env.PREVIEWD_MAX_SESSIONS,
      memoryBytes: env.PREVIEWD_SESSION_MEMORY,
      idleMs: env.PREVIEWD_SESSION_IDLE_MS,
    },
    poolSize: env.PREVIEWD_POOL_SIZE,
    servers: {
      max: env.PREVIEWD_MAX_SERVERS,
      memoryBytes: env.PREVIEWD_SERVER_MEMORY,
      idleMs: env.PREVIEWD_SERVER_IDLE_MS,
    },
    egress: {
      maximum: env.PREVIEWD_EGRESS,
      allowedHosts: env.PREVIEWD_EGRESS_ALLOW,
      privateNetworks: env.PREVIEWD_EGRESS_PRIVATE,
    },
    proxy: {
      targets: env.PREVIEWD_PROXY_TARGETS,
      timeoutMs: env.PREVIEWD_PROXY_TIMEOUT_MS,
      requests: env.PREVIEWD_PROXY_REQUESTS,
    },
    sources: {
      places: env.PREVIEWD_SOURCES,
      timeoutMs: env.PREVIEWD_SOURCE_TIMEOUT_MS,
      azure: {
        connectionString: env.PREVIEWD_AZURE_CONNECTION_STRING,
        account: env.PREVIEWD_AZURE_ACCOUNT,
        endpoint: env.PREVIEWD_AZURE_ENDPOINT,
        key: env.PREVIEWD_AZURE_KEY,
        sas: env.PREVIEWD_AZURE_SAS,
      },
      s3: {
        endpoint: env.PREVIEWD_S3_ENDPOINT,
        region: env.PREVIEWD_S3_REGION,
        accessKeyId: env.PREVIEWD_S3_ACCESS_KEY_ID,
        secretAccessKey: env.PREVIEWD_S3_SECRET_ACCESS_KEY,
      },
      localRoots: env.PREVIEWD_LOCAL_ROOTS.map((root) => resolve(root)),
      git: {
        hosts: env.PREVIEWD_GIT_HOSTS,
        tokens: env.PREVIEWD_GIT_TOKENS,
        privateNetworks: env.PREVIEWD_GIT_PRIVATE,
        authorities: env.PREVIEWD_GIT_CA,
        timeoutMs: env.PREVIEWD_GIT_TIMEOUT_MS,
      },
    },
    limits: {
      fileBytes: env.PREVIEWD_MAX_FILE,
      projectBytes: env.PREVIEWD_MAX_PROJECT,
      files: env.PREVIEWD_MAX_FILES,
      bodyBytes: env.PREVIEWD_MAX_BODY,
      requestsPerMinute: env.PREVIEWD_RATE_LIMIT,
    },
    cacheBytes: env.PREVIEWD_CACHE_BYTES,
    logLevel: env.PREVIEWD_LOG_LEVEL,
  }
}
