import { expect, it } from 'vitest'
import { fromOutcome } from '../../src/build/outcome.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const { files } = memorySnapshot({ 'src/pages/[id].astro': '' })

it('says of a build that looked for a host that there is no network', () => {
  const lines = [
    '[ERROR] [build] Failed to call getStaticPaths for src/pages/[id].astro',
    'fetch failed',
    '  Caused by:',
    '  getaddrinfo ENOTFOUND api.example.com',
    '    at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:123:26)',
  ]
  const log = lines.map((text) => ({ stream: 'stderr', text }) as const)
  const [found] = fromOutcome(
    { kind: 'failed', exitCode: 1, errors: [] },
    { files, root: '', log, timeoutMs: 1000 },
  )
  expect(found).toMatchObject({
    code: 'BUILD_EXITED',
    message: expect.stringContaining('getaddrinfo ENOTFOUND api.example.com'),
    hint: expect.stringContaining('builds reach no network'),
  })
})
