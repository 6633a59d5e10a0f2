import { beforeAll, expect, test } from 'vitest'
import { type Bench, openBench } from './environment-bench.ts'

/** Each test has packages of its own, so that the hostile project is the first to install them. */
const CASES = [
  'platform',
  'linked',
  'dropped',
  'program',
  'swapped',
  'ignored',
  'overridden',
  'extended',
] as const

let bench: Bench
beforeAll(async () => {
  const packages = CASES.flatMap((name) => [
    {
      name: `${name}-top`,
      version: '1.0.0',
      optionalDependencies: { [`${name}-part`]: '1.0.0' },
      dependencies: { [`${name}-inner`]: '1.0.0' },
      files: {
        'index.js': `module.exports = [require('${name}-part'), require('${name}-inner')].join(' ')`,
        'cli.js': '',
      },
    },
    { name: `${name}-part`, version: '1.0.0', manifest: { os: ['linux'] } },
    {
      name: `${name}-inner`,
      version: '1.0.0',
      bin: { [`${name}-inner`]: 'cli.js' },
      files: { 'cli.js': '#!/usr/bin/env node\nconsole.log("inner")' },
    },
    { name: `${name}-evil`, version: '1.0.0', files: { 'index.js': 'module.exports = "evil"' } },
  ])
  const opened = await openBench({ packages })
  bench = opened.bench
  return opened.close
})

function lockOf(name: string): string {
  const integrity = (part: string) => bench.registry.integrityOf(`${name}-${part}`, '1.0.0')
  return `lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      ${name}-top:
        specifier: 1.0.0
        version: 1.0.0

packages:

  ${name}-inner@1.0.0:
    resolution: {integrity: ${integrity('inner')}}
    hasBin: true

  ${name}-part@1.0.0:
    resolution: {integrity: ${integrity('part')}}
    os: [linux]

  ${name}-top@1.0.0:
    resolution: {integrity: ${integrity('top')}}

snapshots:

  ${name}-inner@1.0.0: {}

  ${name}-part@1.0.0:
    optional: true

  ${name}-top@1.0.0:
    dependencies:
      ${name}-inner: 1.0.0
    optionalDependencies:
      ${name}-part: 1.0.0
`
}

interface Attack {
  lock?: (lock: string) => string
  manifest?: object
}

const ATTACKS: Record<(typeof CASES)[number], Attack> = {
  platform: { lock: (lock) => lock.replace('os: [linux]', 'os: [win32]') },
  linked: {
    lock: (lock) => lock.replace(/linked-inner: 1.0.0\n {4}opt/, 'linked-inner: link:evil\n    opt'),
  },
  dropped: { lock: (lock) => lock.replace(/ {4}optionalDependencies:\n.*\n/, '') },
  program: { lock: (lock) => lock.replace('    hasBin: true\n', '') },
  swapped: {
    lock: (lock) => {
      const { registry } = bench
      const evil = registry.integrityOf('swapped-evil', '1.0.0')
      return lock.replace(registry.integrityOf('swapped-inner', '1.0.0'), evil)
    },
  },
  ignored: { manifest: { pnpm: { ignoredOptionalDependencies: ['ignored-part'] } } },
  overridden: { manifest: { overrides: { 'overridden-inner': 'npm:overridden-evil@1.0.0' } } },
  extended: {
    manifest: {
      pnpm: {
        packageExtensions: { 'extended-top': { dependencies: { 'extended-inner': 'npm:extended-evil@1' } } },
      },
    },
  },
}

test.each(CASES)('A project that lies about packages harms nobody else: %s', async (name) => {
  const { lock, manifest } = ATTACKS[name]
  const honest = { dependencies: { [`${name}-top`]: '1.0.0' } }
  const lie = lock?.(lockOf(name))
  expect(lie).not.toBe(lockOf(name))
  const hostile = {
    'package.json': { ...honest, ...manifest },
    ...(lie === undefined ? {} : { 'pnpm-lock.yaml': lie }),
  }
  await bench.prepare(hostile, { project: 'hostile' })
  const victims = [
    await bench.install({ 'package.json': honest }, { project: 'unlocked' }),
    await bench.install({ 'package.json': honest, 'pnpm-lock.yaml': lockOf(name) }, { project: 'locked' }),
  ]
  for (const { run } of victims) {
    const top = `$(readlink -f node_modules/${name}-top)`
    expect(await run(`node -p "require('${name}-top')"; ls ${top}/node_modules/.bin`)).toBe(
      `1.0.0 1.0.0\n${name}-inner`,
    )
  }
})
