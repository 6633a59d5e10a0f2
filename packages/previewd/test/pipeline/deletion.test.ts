import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { SeenRequests } from '../../src/serve/session/page-requests.ts'
import { openPipeline } from './pipeline-under-test.ts'
import { oneFile, only } from './sources-in-between.ts'

it('deletes a project whose files are just being fetched', async () => {
  let deletion: Promise<void> | undefined
  let text = '1'
  const sources = only({
    ...oneFile(async () => {
      if (text === '2') deletion ??= under.pipeline.deleteProject('demo')
      return text
    }),
    watch: () => ({ [Symbol.asyncDispose]: () => delay(100) }),
  })
  await using under = await openPipeline({ sources })
  // Folders alone are followed.
  under.pipeline.putProject('demo', { source: { kind: 'local', path: '/demo' } })
  await under.pipeline.sync('demo', {})
  text = '2'
  await expect(under.pipeline.sync('demo', {})).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' })
  await deletion
  expect(under.store.projects.get('demo')).toBeUndefined()
})

it('forgets what the pages of a deleted project asked for: another one may get its name', async () => {
  const requests = new SeenRequests()
  await using under = await openPipeline({ sessions: { requests } })
  for (const id of ['demo', 'other']) {
    under.pipeline.putProject(id, {})
    requests.note(id, { url: '/src/secret.ts', accept: 'any', isModule: true }, 'one')
  }
  await under.pipeline.deleteProject('demo')
  expect([requests.modules('demo', 'one'), requests.modules('other', 'one')]).toEqual([
    [],
    ['/src/secret.ts'],
  ])
})
