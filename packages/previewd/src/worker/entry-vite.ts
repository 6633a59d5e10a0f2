import { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import type { ToolError, ViteBuildOptions } from '../model/worker.ts'
import { toToolErrors } from './entry-errors.ts'
import { type RehearsalAnswer, type RehearsalRequest, rehearse } from './entry-rehearsal.ts'
import { SAMPLE, SAMPLE_CACHE, SAMPLE_OUTPUT } from './entry-rehearsal-sample.ts'
import type { Tools } from './entry-rehearsal-tools.ts'
import { viteEntry, viteFolder } from './entry-vite-folder.ts'
import { encodeFrame, FRAME_MESSAGE, FrameReader } from './protocol.ts'

export interface ViteRequest {
  type: 'build'
  cwd: string
  options: ViteBuildOptions
  env: Record<string, string>
}

export type ViteAnswer = { type: 'built'; outDir: string } | { type: 'failed'; errors: ToolError[] }

interface ResolvedConfig {
  root: string
  build: { outDir: string }
  environments?: { client?: { build: { outDir: string } } }
}

/** The part of Vite's node API that is used, as it is from version 4 to 8. */
interface Vite {
  build(config: object): Promise<unknown>
  /** Since 6: what `vite build` calls, and what frameworks with several environments rely on. */
  createBuilder?(config: object, useLegacyBuilder: null): Promise<{ buildApp(): Promise<void> }>
}

const WIRE_FD = 3
const REHEARSED_BUILDS = 3

/** A Node of its own that runs one `vite build` with the project's Vite, and says how it went over descriptor 3. */
const wire = new Socket({ fd: WIRE_FD, readable: true, writable: true })
const reader = new FrameReader()
wire.on('error', () => process.exit(1))
wire.on('data', onData)

function onData(bytes: Buffer): void {
  for (const frame of reader.read(bytes)) {
    const request = JSON.parse(frame.body.toString('utf8')) as ViteRequest | RehearsalRequest
    if (request.type === 'rehearse') {
      void rehearse(request.cwd, 'production', playBuilds).then(answer)
    } else {
      // Work that the build left behind keeps this process alive, the wire does not.
      wire.off('data', onData).pause().unref()
      void main(request)
    }
  }
}

/** The first one loads, the next ones are compiled. */
async function playBuilds(tools: Tools): Promise<void> {
  for (let round = 0; round < REHEARSED_BUILDS; round++) {
    await (tools.vite as unknown as Vite).build({
      root: SAMPLE,
      configFile: false,
      envDir: SAMPLE,
      cacheDir: SAMPLE_CACHE,
      logLevel: 'silent',
      plugins: tools.plugins(),
      css: { postcss: { plugins: tools.postcss() } },
      build: { outDir: SAMPLE_OUTPUT },
    })
  }
}

async function main({ cwd, options, env }: ViteRequest): Promise<void> {
  try {
    process.chdir(cwd)
    Object.assign(process.env, env)
    const folder = viteFolder(cwd)
    process.argv = [process.execPath, join(folder, 'bin/vite.js'), 'build']
    const vite = (await import(viteEntry(folder))) as Vite
    answer({ type: 'built', outDir: await build(vite, cwd, options) })
  } catch (thrown) {
    const stack = thrown instanceof Error ? thrown.stack : undefined
    process.stderr.write(`error during build:\n${stack ?? String(thrown)}\n`)
    process.exitCode = 1
    answer({ type: 'failed', errors: toToolErrors(thrown) })
  }
}

async function build(vite: Vite, root: string, options: ViteBuildOptions): Promise<string> {
  const { base, mode, configFile, outDir, minify, sourcemap } = options
  let resolved: ResolvedConfig | undefined
  const observer = {
    name: 'previewd:observer',
    configResolved: (config: ResolvedConfig) => {
      resolved ??= config
    },
  }
  const config = {
    root,
    ...defined({ base, mode, configFile }),
    build: defined({ outDir, minify, sourcemap }),
    plugins: [observer],
  }
  if (vite.createBuilder) await (await vite.createBuilder(config, null)).buildApp()
  else await vite.build(config)
  const folder = resolved?.environments?.client?.build.outDir ?? resolved?.build.outDir ?? 'dist'
  return resolve(resolved?.root ?? root, folder)
}

function defined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function answer(message: ViteAnswer | RehearsalAnswer): void {
  wire.write(encodeFrame(FRAME_MESSAGE, Buffer.from(JSON.stringify(message))))
}
