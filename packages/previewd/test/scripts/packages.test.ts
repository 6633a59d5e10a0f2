import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const script = join(import.meta.dirname, '../../../../scripts/setup/packages.mjs')
const { packagesInStep } = (await import(script)) as { packagesInStep(root: string): boolean }

const react = { version: '19.0.0', integrity: 'sha512-a' }
const elsewhere = { version: '1.0.0', integrity: 'sha512-b', optional: true, os: ['darwin'] }
const here = {
  version: '1.0.0',
  integrity: 'sha512-c',
  optional: true,
  os: [process.platform],
  cpu: [process.arch],
}
const musl = { ...here, libc: ['musl'] }

/** Whether an install that has `installed` is what a lockfile with `wanted` asks for. */
async function inStep(wanted: Record<string, object>, installed?: Record<string, object>): Promise<boolean> {
  const root = await mkdtemp(join(tmpdir(), 'previewd-packages-'))
  try {
    await mkdir(join(root, 'node_modules'))
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...wanted } }))
    if (installed) {
      await writeFile(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }))
    }
    return packagesInStep(root)
  } finally {
    await rm(root, { recursive: true })
  }
}

test('an install that has what the lockfile asks for is left alone', async () => {
  expect(await inStep({ 'node_modules/react': react }, { 'node_modules/react': react })).toBe(true)
})

test('a checkout without an install, or with one that was interrupted, is installed', async () => {
  expect(await inStep({ 'node_modules/react': react })).toBe(false)
})

test('another version, other bytes and a missing package are installed anew', async () => {
  const installed = { 'node_modules/react': react }
  expect(await inStep({ 'node_modules/react': { ...react, version: '19.0.1' } }, installed)).toBe(false)
  expect(await inStep({ 'node_modules/react': { ...react, integrity: 'sha512-z' } }, installed)).toBe(false)
  expect(await inStep({ 'node_modules/react': react, 'node_modules/vue': react }, installed)).toBe(false)
})

test('programs for other machines may be missing, those for this machine may not', async () => {
  const wanted = { 'node_modules/mac': elsewhere, 'node_modules/alpine': musl }
  expect(await inStep(wanted, {})).toBe(true)
  expect(await inStep({ ...wanted, 'node_modules/linux': here }, {})).toBe(false)
})

test('packages of the workspace itself are no matter of an install', async () => {
  expect(await inStep({ 'packages/previewd': {}, 'node_modules/previewd': { link: true } }, {})).toBe(true)
})
