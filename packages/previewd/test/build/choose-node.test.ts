import { describe, expect, it } from 'vitest'
import { chooseNode } from '../../src/build/choose-node.ts'
import { detect } from '../../src/build/detect.ts'
import { DEFAULT_SETTINGS } from '../../src/model/project.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const OFFER = { own: 24, others: [20, 22] }

async function choose(files: Record<string, string>, nodeVersion?: string, root = '') {
  const inRoot = root === '' ? 'package.json' : `${root}/package.json`
  const snapshot = memorySnapshot({ [inRoot]: '{"scripts":{"build":"x"}}', ...files })
  const settings = { ...DEFAULT_SETTINGS, root, ...(nodeVersion !== undefined && { nodeVersion }) }
  const { shape } = await detect(snapshot, settings)
  if (!shape) throw new Error('nothing to build')
  return chooseNode(snapshot, shape, settings, OFFER)
}

const packageJson = (node: unknown) => ({
  'package.json': JSON.stringify({ scripts: { build: 'x' }, engines: { node } }),
})

describe('the Node of a project', () => {
  it('is the one of its settings, whatever its files say', async () => {
    const files = { ...packageJson('20'), '.nvmrc': '20' }
    expect(await choose(files, '22')).toEqual({ node: { major: 22, isRequired: true }, diagnostics: [] })
    expect(await choose(files, '24')).toEqual({ diagnostics: [] })
  })

  it('is else that of .nvmrc or .node-version, in its root or at the top, else that of engines', async () => {
    const twenty = { node: { major: 20, isRequired: false }, diagnostics: [] }
    expect(await choose({ '.nvmrc': 'v20.11.0\n', ...packageJson('22') }, '')).toEqual(twenty)
    expect(await choose({ '.node-version': '20' })).toEqual(twenty)
    expect(await choose({ '.nvmrc': 'lts/iron' })).toEqual(twenty)
    expect(await choose({ '.nvmrc': '20' }, undefined, 'web')).toEqual(twenty)
    expect(await choose({ '.nvmrc': '22', 'web/.nvmrc': '20' }, undefined, 'web')).toEqual(twenty)
    expect(await choose(packageJson('^20.9'))).toEqual(twenty)
  })

  it("is the server's own where that fits what the files say, or they say nothing", async () => {
    for (const files of [
      {},
      packageJson('>=18'),
      packageJson(['20']),
      { '.nvmrc': 'lts/*' },
      { '.nvmrc': 'node' },
      { '.nvmrc': '' },
      { '.nvmrc': '20'.padEnd(2000, '0') },
    ]) {
      expect(await choose(files)).toEqual({ diagnostics: [] })
    }
  })

  it("is the server's own, with a warning, where what is asked for is not offered", async () => {
    expect(await choose(packageJson('18.x'))).toEqual({
      diagnostics: [
        {
          origin: 'config',
          severity: 'warning',
          code: 'NODE_VERSION_NOT_OFFERED',
          message: 'engines.node asks for Node 18.x, and this server has 20, 22, 24; Node 24 is used.',
          file: 'package.json',
        },
      ],
    })
  })
})
