import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Bench, makeBench, openBench, type ProjectFiles } from './environment-bench.ts'
import { startFixtureRegistry } from './fixture-registry.ts'

const PACKAGES = [
  { name: 'leaf', version: '1.0.0' },
  { name: 'twig', version: '1.0.0', dependencies: { leaf: '1.0.0' } },
]

let bench: Bench
beforeAll(async () => {
  const opened = await openBench({ packages: PACKAGES })
  bench = opened.bench
  return opened.close
})

const MANIFEST = { dependencies: { leaf: '1.0.0' } }
const HOOK = `require('fs').writeFileSync('/app/node_modules/hooked', ''); module.exports = {
  hooks: { readPackage: (p) => ({ ...p, dependencies: { ...p.dependencies, twig: '1.0.0' } }) } }`

/** Each would change what is installed, were it obeyed. */
const CANARIES: Record<string, ProjectFiles> = {
  '.pnpmfile.cjs': { 'package.json': MANIFEST, '.pnpmfile.cjs': HOOK },
  'pnpmfile named in pnpm-workspace.yaml': {
    'package.json': MANIFEST,
    'pnpm-workspace.yaml': 'pnpmfile: hook.cjs\nignorePnpmfile: false\n',
    'hook.cjs': HOOK,
  },
  'registry in .npmrc': { 'package.json': MANIFEST, '.npmrc': 'registry=http://127.0.0.1:9/\n' },
  'store and registry in pnpm-workspace.yaml': {
    'package.json': MANIFEST,
    'pnpm-workspace.yaml':
      'storeDir: /app/own\nregistry: http://127.0.0.1:9/\nvirtualStoreDir: /app/own\nmodulesDir: elsewhere\n',
  },
  'scripts and allowed builds': {
    'package.json': {
      ...MANIFEST,
      scripts: { preinstall: 'touch /app/node_modules/hooked', prepare: 'touch /app/node_modules/hooked' },
      pnpm: { onlyBuiltDependencies: ['leaf'], neverBuiltDependencies: [] },
    },
    'pnpm-workspace.yaml': 'dangerouslyAllowAllBuilds: true\nignoreScripts: false\n',
  },
  packageManager: { 'package.json': { ...MANIFEST, packageManager: 'pnpm@9.0.0' } },
  'config dependencies': {
    'package.json': MANIFEST,
    'pnpm-workspace.yaml': 'configDependencies:\n  twig: 1.0.0+sha512-AAAA\n',
  },
  'policies in pnpm-workspace.yaml': {
    'package.json': MANIFEST,
    'pnpm-workspace.yaml': 'minimumReleaseAge: 999999999\ntrustPolicy: off\nblockExoticSubdeps: false\n',
  },
}

test.each(Object.keys(CANARIES))('The installer does not obey the project: %s', async (name) => {
  const { environment, run } = await bench.install(CANARIES[name] ?? {}, { project: 'canary' })
  const links = environment.entries.map(({ path }) => path).filter((path) => !path.includes('.pnpm/'))
  expect(links).toEqual(['node_modules/leaf'])
  expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
})

test('A patched dependency and its patch file never reach the installer', async () => {
  const files = {
    'package.json': {
      ...MANIFEST,
      pnpm: { patchedDependencies: { 'leaf@1.0.0': '../../../../etc/passwd' } },
    },
  }
  const { run } = await bench.install(files)
  expect(await run(`node -p "require('leaf')"`)).toBe('1.0.0')
})

test('Project code cannot change the store, whatever it tries', async () => {
  const { run, environment } = await bench.install({ 'package.json': MANIFEST })
  const [bind] = environment.binds
  const before = await hashTree(bind?.source ?? '')
  const attempts = [
    'echo "poison" > node_modules/leaf/index.js',
    'touch node_modules/leaf/new',
    'rm -rf node_modules/leaf/',
    'chmod -R 777 /store',
    'mv /store/v11 /store/v12',
    'ln -f node_modules/leaf/index.js /tmp/alias && echo poison > /tmp/alias',
  ]
  for (const attempt of attempts) await run(`${attempt}; true`)
  expect(await hashTree(bind?.source ?? '')).toEqual(before)
  const other = await bench.install({ 'package.json': MANIFEST }, { project: 'neighbour' })
  expect(await other.run(`node -p "require('leaf')"`)).toBe('1.0.0')
})

test('The installer reaches nothing but the registry, and only packages of it', async () => {
  const registry = await startFixtureRegistry({ packages: PACKAGES })
  const own = await makeBench({ registryUrl: registry.url })
  await own.install({ 'package.json': { dependencies: { twig: '1.0.0' } } })
  await registry.close()
  expect(registry.requests.length).toBeGreaterThan(0)
  for (const request of registry.requests) {
    expect(request).toMatch(/^GET \/(?:leaf|twig)(?:\/-\/(?:leaf|twig)-1\.0\.0\.tgz)?$/)
  }
})

async function hashTree(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  // The index is a database that the installer's own reads may touch; what packages are made of is not in it.
  const contents = files.filter((file) => !/index\.db|\/cache\//.test(file)).sort()
  return await Promise.all(
    contents.map(async (file) => `${file} ${(await readFile(file)).toString('base64')}`),
  )
}
