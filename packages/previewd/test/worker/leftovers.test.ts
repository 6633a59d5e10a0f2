import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MIB, openSandbox, shell } from './sandbox.ts'

describe('workers leave nothing behind', () => {
  it('in the groups of the machine when they are closed', async () => {
    await using own = await openSandbox()
    for (let round = 0; round < 3; round++) {
      const worker = await own.start()
      await shell(worker, 'sleep 1000 & (sleep 1000 &)')
      await worker.stop()
    }
    await own.workers.close()
    expect(groupsOf(process.pid)).toEqual([])
  })

  it('when the daemon is killed: the sandbox ends with it, and the next one removes its groups', async () => {
    const marker = `orphan-${process.pid}-${Date.now()}`
    await using own = await openSandbox()
    const source = `
      import { createWorkers } from ${JSON.stringify(new URL('../../src/worker/workers.ts', import.meta.url).href)}
      const workers = createWorkers({ dataDir: ${JSON.stringify(own.folder)}, minimumTier: 'full', slots: 1 })
      const limits = ${JSON.stringify({ memoryBytes: 256 * MIB, processes: 64, wallMs: 60_000, appBytes: MIB, tmpBytes: MIB, cpuWeight: 100, logBytes: MIB })}
      const worker = await workers.start({ limits, binds: [], role: 'project' })
      const args = ['-e', 'console.log("up"); setInterval(() => {}, 1000)', '${marker}']
      await worker.run({ kind: 'exec', file: 'node', args, cwd: '', env: {} }, ({ text }) => console.log(text))`
    const program = join(own.folder, 'daemon.ts')
    writeFileSync(program, source)
    const daemon = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const bytes of daemon.stdout) if (String(bytes).includes('up')) break
    expect(runningWith(marker)).toHaveLength(1)
    expect(groupsOf(daemon.pid ?? 0)).not.toEqual([])
    daemon.kill('SIGKILL')
    // The kernel ends the sandbox with its parent; there is nothing to be told by.
    while (runningWith(marker).length > 0) await delay(10)
    await own.workers.status()
    expect(groupsOf(daemon.pid ?? 0)).toEqual([])
  })
})

/** Ids of processes on the host whose arguments hold this text. */
function runningWith(text: string): string[] {
  return processes().filter((pid) => readProc(pid, 'cmdline').includes(text) && Number(pid) !== process.pid)
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

/** Empty for a process that ended meanwhile. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Names of the control groups of a daemon's workers. */
function groupsOf(pid: number): string[] {
  const parents = [
    '/sys/fs/cgroup/pids/previewd',
    '/sys/fs/cgroup/memory/previewd',
    '/sys/fs/cgroup/previewd',
  ]
  return parents
    .filter((parent) => existsSync(parent))
    .flatMap((parent) =>
      readdirSync(parent)
        .filter((name) => name.split('-')[1] === String(pid))
        .map((name) => `${parent}/${name}`),
    )
    .flatMap((daemon) => readdirSync(daemon, { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    .map(({ name }) => name)
}
