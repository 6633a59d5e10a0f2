import { startBridge } from './entry-bridge.ts'
import { EntryChannel } from './entry-channel.ts'
import { Collector } from './entry-collect.ts'
import { PutReceiver } from './entry-put.ts'
import { TaskRunner } from './entry-task.ts'
import { type ChildSettings, type HostMessage, PROTOCOL_VERSION } from './protocol.ts'

/** The child half of a worker: the first program in the sandbox, which does what the host says over the channel. */
const channel = new EntryChannel()
const input = new PutReceiver()
const collector = new Collector(channel)
let tasks: TaskRunner | undefined

channel.listen(receive, (bytes) => input.write(bytes))

function receive(message: HostMessage): void {
  switch (message.type) {
    case 'init':
      return void start(message.version, message.settings)
    case 'put':
      return input.begin(message.entries)
    case 'put-end': {
      const failure = input.end()
      channel.send({ type: 'put-done', id: message.id, ...(failure ? { failure } : {}) })
      return
    }
    case 'run':
      return void tasks?.run(message.id, message.task)
    case 'collect':
      return void collector.run(message.id, message.directory)
    case 'collect-cancel':
      return collector.cancel(message.id)
  }
}

async function start(version: number, settings: ChildSettings): Promise<void> {
  if (version !== PROTOCOL_VERSION) throw new Error(`protocol version ${version}`)
  tasks = new TaskRunner(channel, settings)
  if (settings.bridge) await startBridge(settings.bridge.socket, settings.bridge.port)
  channel.send({ type: 'ready', version: PROTOCOL_VERSION })
}
