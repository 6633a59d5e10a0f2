import { describe, expect, it } from 'vitest'
import { detect } from '../../src/build/detect.ts'
import { DEFAULT_SETTINGS, type ProjectSettings } from '../../src/model/project.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const VITE = JSON.stringify({ scripts: { build: 'vite build' }, devDependencies: { vite: '^8' } })

async function detectIn(files: Record<string, string>, settings: Partial<ProjectSettings> = {}) {
  const { shape, diagnostics } = await detect(memorySnapshot(files), { ...DEFAULT_SETTINGS, ...settings })
  return { kind: shape?.kind, root: shape?.root, codes: diagnostics.map(({ code }) => code), diagnostics }
}

describe('detect', () => {
  it('takes a package with vite among its dependencies for a Vite project', async () => {
    expect(await detectIn({ 'package.json': VITE, 'index.html': '' })).toMatchObject({
      kind: 'vite',
      root: '',
    })
  })

  it('takes a Vite config without a package.json for a Vite project', async () => {
    expect(await detectIn({ 'vite.config.ts': '', 'index.html': '' })).toMatchObject({ kind: 'vite' })
  })

  it('takes a build script that is not Vite for a command', async () => {
    const files = { 'package.json': '{"scripts":{"build":"node build.js"}}', 'build.js': '' }
    expect(await detectIn(files)).toMatchObject({ kind: 'command' })
  })

  it.each(['astro', 'nuxt'])('takes %s without a build script for a command', async (framework) => {
    const files = { 'package.json': JSON.stringify({ dependencies: { [framework]: '*' } }) }
    expect(await detectIn(files)).toMatchObject({ kind: 'command' })
  })

  it('prefers the build command of the settings to what the files say', async () => {
    const detected = await detectIn({ 'package.json': VITE, 'index.html': '' }, { buildCommand: 'make' })
    expect(detected).toMatchObject({ kind: 'command' })
  })

  it('takes an index.html without a build for a static site', async () => {
    expect(await detectIn({ 'index.html': '<p>' })).toMatchObject({ kind: 'static', root: '' })
  })

  it('serves a static site from the output folder of the settings', async () => {
    const detected = await detectIn(
      { 'public/index.html': '<p>' },
      { framework: 'static', outputDir: 'public' },
    )
    expect(detected).toMatchObject({ kind: 'static', root: 'public' })
  })

  it('takes the only folder with a package.json for the root, and says so', async () => {
    const detected = await detectIn({ 'app/package.json': VITE, 'app/index.html': '', 'README.md': '' })
    expect(detected).toMatchObject({ kind: 'vite', root: 'app', codes: ['ROOT_GUESSED'] })
    expect(detected.diagnostics[0]).toMatchObject({ severity: 'warning', hint: 'set root to "app"' })
  })

  it('asks for the root where several folders have a package.json', async () => {
    const detected = await detectIn({ 'a/package.json': VITE, 'b/package.json': VITE })
    expect(detected).toMatchObject({ kind: undefined, codes: ['ROOT_AMBIGUOUS'] })
    expect(detected.diagnostics[0]?.hint).toBe('set root to "a" or "b"')
  })

  it('says that a root of the settings has no files', async () => {
    expect(await detectIn({ 'index.html': '' }, { root: 'web' })).toMatchObject({ codes: ['ROOT_NOT_FOUND'] })
  })

  it('follows a root of the settings written with slashes around it', async () => {
    const detected = await detectIn({ 'web/package.json': VITE, 'web/index.html': '' }, { root: './web/' })
    expect(detected).toMatchObject({ kind: 'vite', root: 'web' })
  })

  it('names where it looked for a missing index.html, and where there is one', async () => {
    const detected = await detectIn({ 'site/index.html': '', 'main.js': '' }, { framework: 'static' })
    expect(detected.diagnostics[0]).toMatchObject({
      code: 'INDEX_HTML_MISSING',
      message: 'There is no index.html at "index.html".',
      hint: 'there is "site/index.html": set root to its folder, or move it',
    })
  })

  it('says that a project without files has none', async () => {
    expect((await detectIn({})).diagnostics[0]?.message).toBe('The project has no files.')
  })

  it('points at the place where package.json is broken', async () => {
    const detected = await detectIn({ 'package.json': '{\n  "name": "x",\n  oops\n}', 'index.html': '' })
    expect(detected.diagnostics[0]).toMatchObject({
      code: 'INVALID_PACKAGE_JSON',
      file: 'package.json',
      line: 3,
    })
  })

  it('asks for a command where the framework is command and nothing names one', async () => {
    const detected = await detectIn({ 'index.html': '' }, { framework: 'command' })
    expect(detected.codes).toEqual(['BUILD_COMMAND_MISSING'])
  })

  it('is not misled by names of Object.prototype in package.json', async () => {
    const detected = await detectIn({
      'package.json': '{"scripts":{"__proto__":"x"},"dependencies":[]}',
      'index.html': '',
    })
    expect(detected).toMatchObject({ kind: 'static' })
  })
})
