import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Diagnostic } from '../../src/model/diagnostic.ts'
import type { ProjectStatus } from '../../src/model/status.ts'
import { fixture, openPipeline, type PipelineUnderTest } from './pipeline-under-test.ts'

const MIB = 1024 * 1024
let under: PipelineUnderTest
let base: Record<string, Buffer>

beforeAll(async () => {
  base = await fixture('broken/base')
  under = await openPipeline({
    build: {
      timeoutMs: 60_000,
      artifactBytes: 16 * MIB,
      artifactFiles: 200,
      memoryBytes: 512 * MIB,
      logBytes: MIB,
    },
  })
})

afterAll(async () => {
  await under.close()
  await rm(under.dataDir, { recursive: true, force: true })
})

const pushBroken = async (name: string, wait?: 'checked') =>
  under.push(name, { ...base, ...(await fixture(`broken/${name}`)) }, wait)

const first = ({ diagnostics }: ProjectStatus): Diagnostic | undefined => diagnostics[0]

describe('a build that fails says what is wrong', () => {
  const cases: [name: string, diagnostic: Partial<Diagnostic>][] = [
    ['syntax-error', { code: 'SYNTAX_ERROR', file: 'src/App.tsx', line: 2, column: 17 }],
    ['unclosed-tag', { code: 'SYNTAX_ERROR', file: 'src/App.tsx', line: 2 }],
    [
      'missing-import-file',
      {
        code: 'MISSING_FILE',
        file: 'src/main.tsx',
        line: 1,
        hint: 'did you mean src/App.tsx? Upper and lower case count',
      },
    ],
    [
      'missing-package',
      { code: 'MISSING_PACKAGE', file: 'src/App.tsx', hint: 'add "date-fns" to dependencies' },
    ],
    ['missing-alias', { code: 'MISSING_FILE', hint: expect.stringContaining('src/lib/util.ts') }],
    ['missing-export', { code: 'MISSING_EXPORT', file: 'src/main.tsx', line: 1, column: 10 }],
    [
      'missing-entry',
      { code: 'MISSING_FILE', file: 'index.html', hint: expect.stringContaining('src/main.tsx') },
    ],
    ['missing-stylesheet', { code: 'MISSING_FILE', file: 'src/style.css' }],
    ['broken-json', { code: 'SYNTAX_ERROR' }],
    [
      'config-throws',
      { origin: 'config', code: 'CONFIG_FAILED', file: 'vite.config.ts', message: 'no licence found' },
    ],
    ['config-syntax-error', { origin: 'config', code: 'SYNTAX_ERROR', file: 'vite.config.ts' }],
    [
      'config-missing-plugin',
      { origin: 'config', code: 'MISSING_PACKAGE', hint: 'add "vite-plugin-nothing" to dependencies' },
    ],
    ['config-exits', { code: 'BUILD_EXITED' }],
    ['config-waits-for-nothing', { code: 'BUILD_EXITED' }],
    ['plugin-throws', { origin: 'transform', file: 'src/App.tsx', message: 'this plugin does not like App' }],
    ['postcss-plugin-missing', { code: 'MISSING_PACKAGE', hint: 'add "postcss-nothing" to dependencies' }],
    ['output-too-large', { code: 'OUTPUT_TOO_LARGE' }],
    ['output-of-many-files', { code: 'OUTPUT_TOO_MANY_FILES' }],
    ['writes-too-much', { code: 'OUTPUT_TOO_LARGE' }],
    ['eats-memory', { code: 'BUILD_OUT_OF_MEMORY' }],
    ['command-fails', { code: 'BUILD_EXITED', frame: expect.stringContaining('page "about" has no title') }],
    ['command-writes-nothing', { code: 'OUTPUT_MISSING' }],
  ]

  it.each(cases)('%s', async (name, diagnostic) => {
    const status = await pushBroken(name)
    expect(status).toMatchObject({ state: 'error', build: { state: 'failed' }, published: null })
    expect(first(status)).toMatchObject(diagnostic)
  })

  it('names no path of the sandbox, and puts a frame beside a place', async () => {
    for (const [name] of cases) {
      const { diagnostics } = under.pipeline.status(name)
      expect(
        JSON.stringify(diagnostics.map(({ message, file, frame }) => [message, file, frame])),
      ).not.toContain('/app/')
      for (const { line, frame } of diagnostics) if (line !== undefined) expect(frame).toBeTruthy()
    }
    expect(under.errors).toEqual([])
  })
})

it('takes a build that does not end for timed out', async () => {
  await using short = await openPipeline({ build: { timeoutMs: 2_000, processes: 40 } })
  const push = async (name: string) => short.push(name, { ...base, ...(await fixture(`broken/${name}`)) })
  const [stuck, bomb] = await Promise.all([push('config-never-returns'), push('fork-bomb')])
  expect(stuck).toMatchObject({ state: 'error', build: { state: 'timed_out' } })
  expect(first(stuck)).toMatchObject({ code: 'BUILD_TIMED_OUT' })
  expect(bomb.state).toBe('error')
  expect(first(bomb)?.code).toMatch(/BUILD_TIMED_OUT|BUILD_EXITED/)
})

it('builds past a flood of log lines, and keeps the log within its bound', async () => {
  const status = await pushBroken('floods-the-log')
  expect(status.state).toBe('ready')
  const { lines } = await under.pipeline.log('floods-the-log', {})
  let bytes = 0
  for await (const { text } of lines) bytes += text.length
  expect(bytes).toBeLessThan(1.2 * MIB)
})

it('leaves links out of the output, and says so', async () => {
  const status = await pushBroken('links-in-output')
  expect(status.state).toBe('ready')
  expect(first(status)).toMatchObject({ severity: 'warning', code: 'OUTPUT_ENTRY_SKIPPED' })
  const artifact = await under.artifacts.open('links-in-output', status.published?.buildId ?? '')
  expect([...artifact.files.keys()].filter((path) => !path.startsWith('assets/'))).toEqual(['index.html'])
})

it('publishes a build with type errors, and reports them when the checks have ended', async () => {
  const status = await pushBroken('type-error', 'checked')
  expect(status).toMatchObject({ state: 'ready', published: { revision: 1 } })
  expect(first(status)).toMatchObject({
    origin: 'type',
    code: 'TS2322',
    file: 'src/App.tsx',
    line: 2,
    column: 9,
    frame: expect.stringContaining("const count: number = 'three'"),
  })
})

it('keeps the last good build published when a later one fails', async () => {
  const good = await under.push('kept', base)
  expect(good).toMatchObject({ state: 'ready', published: { revision: 1 } })
  const page = await under.published('kept', 'index.html')
  const bad = await under.push('kept', await fixture('broken/syntax-error'))
  expect(bad).toMatchObject({ state: 'error', revision: 2, published: { revision: 1 } })
  expect(await under.published('kept', 'index.html')).toBe(page)
})
