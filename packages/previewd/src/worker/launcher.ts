import { randomBytes } from 'node:crypto'
import { chmod, chown, rm, stat } from 'node:fs/promises'
import type { WorkerSpec } from '../model/worker.ts'
import { bindSocket } from './bind-socket.ts'
import { BRIDGE_SOCKET, bwrapArguments, ENTRY_NODE } from './bwrap.ts'
import type { Machinery } from './detect.ts'
import { launch } from './launch.ts'
import type { ChildSettings } from './protocol.ts'
import { Runner } from './runner.ts'
import { FIRST_WORKER_UID, INSTALLER_UID } from './slots.ts'

/** What a worker is made of; its time and its signal come when it is used. */
export type LaunchedSpec = Pick<WorkerSpec, 'limits' | 'binds' | 'node' | 'role' | 'bridge' | 'listen'>

export interface LaunchEvents {
  release: (clean: boolean) => void
  onTrouble: (cause: unknown) => void
}

const MIB = 1024 * 1024
/** Share of a worker's memory that the heap of its Node may have; the rest is for native code and files. */
const HEAP_SHARE = 0.75
const ENTRY = '/previewd/worker/entry.js'

/** Launches one worker under the user of a slot, in a control group of its own where there are any. */
export async function launchRunner(
  machinery: Machinery,
  spec: LaunchedSpec,
  slot: number,
  events: LaunchEvents,
): Promise<Runner> {
  const { tools, runtimeTree, seccompFile, cgroups } = machinery
  if (!tools || !runtimeTree || !seccompFile) throw new Error('no sandbox to launch')
  const { limits, binds, bridge } = spec
  const ownUid = spec.role === 'installer' ? INSTALLER_UID : FIRST_WORKER_UID + slot
  const uid = machinery.ownUids ? ownUid : undefined
  await prepareBinds(spec, uid)
  const listening = spec.listen === undefined ? undefined : await bindSocket(spec.listen)
  const cgroup = await cgroups?.create(`${spec.role}-${slot}-${randomBytes(4).toString('hex')}`, limits)
  try {
    const launched = await launch({
      tools,
      uid,
      joinFiles: cgroup?.joinFiles ?? [],
      seccompFile,
      fileBytes: Math.max(limits.appBytes, limits.tmpBytes),
      command: [spec.node === undefined ? '/usr/bin/node' : ENTRY_NODE, ENTRY],
      listening,
      bwrapArguments: bwrapArguments(tools.bwrap, {
        runtimeTree,
        binds,
        ...(spec.node === undefined ? {} : { node: spec.node }),
        ...(bridge ? { bridgeSocket: bridge.socket } : {}),
        appBytes: limits.appBytes,
        tmpBytes: limits.tmpBytes,
      }),
    })
    const { listen: socket } = spec
    return new Runner({ ...launched, cgroup, limits, settings: settingsOf(spec), socket, ...events })
  } catch (error) {
    await cgroup?.destroy(1_000)
    if (spec.listen) await rm(spec.listen, { force: true })
    throw error
  } finally {
    // The child has it now.
    listening?.close()
  }
}

function settingsOf({ limits, role, bridge, listen, node }: LaunchedSpec): ChildSettings {
  const heapMib = Math.floor((limits.memoryBytes * HEAP_SHARE) / MIB)
  return {
    logBytes: limits.logBytes,
    // Earlier Nodes read where their proxy is when they start, and not later.
    prepare: role === 'installer' || (listen && node) ? 'none' : listen ? 'dev' : 'build',
    nodeFlags: [`--max-old-space-size=${heapMib}`],
    ...(bridge ? { bridge: { socket: BRIDGE_SOCKET, port: bridge.port } } : {}),
  }
}

/** A store that is bound for writing belongs to the installer's user; the bridge's socket is open to workers. */
async function prepareBinds({ binds, role, bridge }: LaunchedSpec, uid: number | undefined): Promise<void> {
  for (const { source, target, writable } of binds) {
    if (!writable) continue
    if (role !== 'installer') throw new Error(`only an installer may write to ${target}`)
    if (uid !== undefined && (await stat(source)).uid !== uid) await chown(source, uid, uid)
  }
  if (bridge) await chmod(bridge.socket, 0o666)
}
