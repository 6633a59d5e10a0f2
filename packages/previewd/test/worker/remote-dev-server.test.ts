import { expect, it } from 'vitest'
import { WorkerError } from '../../src/model/worker.ts'
import { RemoteDevServer } from '../../src/worker/remote-dev-server.ts'

it('a dev server that ends while a question to it waits behind files takes nothing with it', async () => {
  const sent = Promise.withResolvers<void>()
  const server = new RemoteDevServer({
    id: 1,
    socket: '/run/dev.sock',
    ended: new Promise(() => undefined),
    send: () => sent.promise,
  })
  const update = server.update(2, [{ path: 'a.js', kind: 'modified' }])
  await Promise.resolve()
  server.end(new WorkerError('ended', 'The dev server has ended.'))
  await expect(update).rejects.toThrow('The dev server has ended.')
  sent.resolve()
  await expect(server.freshen()).rejects.toThrow('The dev server has ended.')
})
