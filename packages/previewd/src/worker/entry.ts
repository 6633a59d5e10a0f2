import { startBridge } from './entry-bridge.ts'
import { EntryChannel } from './entry-channel.ts'
import { Collector } from './entry-collect.ts'
import { closeForeignDescriptors } from './entry-descriptors.ts'
import { Programs } from './entry-programs.ts'
import { PutReceiver } from './entry-put.ts'
import { DevServerRunner } from './entry-serve.ts'
import { TaskRunner } from './entry-task.ts'
import { type ChildSettings, type HostMessage, PROTOCOL_VERSION } from './protocol.ts'

/** The child half of a worker: the first program in the sandbox, which does what the host says over the channel. */
closeForeignDescriptors()
const channel = new EntryChannel()
const input = new PutReceiver()
const collector = new Collector(channel)
let tasks: TaskRunner | undefined
let devServer: DevServerRunner | undefined
let programs: Programs | undefined
let inputFailed = false

channel.listen(receive, (bytes) => input.write(bytes))

function receive(message: HostMessage): void {
  if (message.type === 'init') void start(message.version, message.settings)
  else if (message.type === 'put') input.begin(message.entries)
  else if (message.type === 'put-end') endInput(message.id)
  else if (message.type === 'remove') removeFiles(message.id, message.paths)
  else if (message.type === 'rehearse') void rehearse(message)
  else if (message.type === 'run') void tasks?.run(message.id, message.task)
  else if (message.type === 'serve') void devServer?.serve(message.id, message.task)
  else if (message.type === 'change') tellOfChange(message)
  else if (message.type === 'freshen') devServer?.freshen(message.id)
  else if (message.type === 'modules') devServer?.tellModules(message.id)
  else if (message.type === 'collect') void collector.run(message.id, message.directory)
  else collector.cancel(message.id)
}

function endInput(id: number): void {
  const failure = input.end()
  inputFailed ||= failure !== undefined
  channel.send({ type: 'put-done', id, ...(failure ? { failure } : {}) })
}

/** The host says what it sends before it knows whether it got in; of half a batch the dev server hears nothing. */
function tellOfChange(message: HostMessage & { type: 'change' }): void {
  if (inputFailed) channel.send({ type: 'changed', id: message.id, kind: 'none', errors: [] })
  else devServer?.change(message)
  inputFailed = false
}

function removeFiles(id: number, paths: readonly string[]): void {
  input.remove(paths)
  endInput(id)
}

async function rehearse({ id, cwd, timeoutMs }: HostMessage & { type: 'rehearse' }): Promise<void> {
  const message = await programs?.rehearse(cwd, timeoutMs)
  const failure = message === undefined ? {} : { failure: { code: 'REHEARSAL', message } }
  channel.send({ type: 'put-done', id, ...failure })
}

async function start(version: number, settings: ChildSettings): Promise<void> {
  if (version !== PROTOCOL_VERSION) throw new Error(`protocol version ${version}`)
  programs = new Programs(channel, settings)
  tasks = new TaskRunner(channel, programs)
  devServer = new DevServerRunner(channel, programs)
  if (settings.bridge) await startBridge(settings.bridge.socket, settings.bridge.port)
  channel.send({ type: 'ready', version: PROTOCOL_VERSION })
}
