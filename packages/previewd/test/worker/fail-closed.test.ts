import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SandboxTier } from '../../src/model/worker.ts'
import { createWorkers, type WorkersOptions } from '../../src/worker/workers.ts'
import { LIMITS, shell } from './sandbox.ts'

/** Building the tree is what takes time; these tests are about other things. */
let shared: string
beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'previewd-runtime-'))
  await chmod(shared, 0o755)
})
afterAll(async () => {
  await rm(shared, { recursive: true, force: true })
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'previewd-closed-'))
  await chmod(folder, 0o711)
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** A folder with the programs of the launch chain, some left out or replaced by a script. */
async function programs(replaced: Record<string, string | undefined>): Promise<string[]> {
  const bin = join(folder, 'bin')
  await mkdir(bin)
  for (const name of ['sh', 'setpriv', 'prlimit', 'bwrap']) {
    const script = replaced[name]
    if (script !== undefined) await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    else if (!(name in replaced)) await symlink(`/usr/bin/${name}`, join(bin, name))
  }
  return [bin]
}

async function attempt(options: Partial<WorkersOptions>, minimumTier: SandboxTier = 'full') {
  const workers = createWorkers({
    dataDir: join(folder, 'data'),
    minimumTier,
    slots: 1,
    runtimeDir: shared,
    ...options,
  })
  try {
    const status = await workers.status()
    const started = await workers.start({ limits: LIMITS, binds: [], role: 'project' }).then(
      async (worker) => (await shell(worker, 'echo ran')).stdout,
      (error) => error.code,
    )
    return { ...status, started }
  } finally {
    await workers.close()
  }
}

/** A bubblewrap that says what the real one says, less the options of a pattern, and then does something else. */
const pretended = (lacks: string, action: string) => `case "$1" in
  --version) echo bubblewrap 0.6.1 ;;
  --help) /usr/bin/bwrap --help | /usr/bin/grep -v -E -e '${lacks}' ;;
  *) ${action} ;;
esac`
const OLD_BWRAP = pretended('--size|--disable-userns', 'exec /usr/bin/bwrap "$@"')
const ANCIENT_BWRAP = pretended('--perms|--clearenv', 'exec /usr/bin/bwrap "$@"')
const WITHOUT_USER_NAMESPACES = pretended(
  '^$',
  'echo "bwrap: setting up uid map: Permission denied" >&2; exit 1',
)
const WITHOUT_SECCOMP = pretended('^$', 'echo "bwrap: prctl(PR_SET_SECCOMP): Invalid argument" >&2; exit 1')

describe('project code does not run', () => {
  it.each([
    ['bubblewrap is missing', { bwrap: undefined }, 'bwrap is missing; install the package bubblewrap'],
    ['bubblewrap is broken', { bwrap: 'exit 127' }, 'bwrap does not run'],
    ['bubblewrap is too old', { bwrap: ANCIENT_BWRAP }, 'lacks --perms, --clearenv; install version 0.5'],
    ['setpriv is missing', { setpriv: undefined }, 'setpriv is missing; install the package util-linux'],
    ['user namespaces are blocked', { bwrap: WITHOUT_USER_NAMESPACES }, 'cannot make a user namespace'],
    ['seccomp is refused', { bwrap: WITHOUT_SECCOMP }, 'PR_SET_SECCOMP'],
    [
      'the user cannot be changed',
      { setpriv: 'echo setpriv: setresuid failed >&2; exit 1' },
      'setresuid failed',
    ],
  ])(
    'when %s, whatever tier is asked for',
    async (_, replaced: Record<string, string | undefined>, problem) => {
      const programFolders = await programs(replaced)
      for (const tier of ['full', 'reduced', 'off'] as const) {
        const result = await attempt({ programFolders }, tier)
        expect(result).toMatchObject({ tier: 'off', usable: false, started: 'SANDBOX_UNAVAILABLE' })
        expect(result.problems.join()).toContain(problem)
      }
    },
  )

  it('when there are no control groups, unless the operator lowered the tier', async () => {
    const cgroupRoot = join(folder, 'cgroup')
    await mkdir(cgroupRoot)
    expect(await attempt({ cgroupRoot })).toMatchObject({
      tier: 'reduced',
      usable: false,
      problems: [expect.stringContaining('memory')],
      started: 'SANDBOX_UNAVAILABLE',
    })
    expect(await attempt({ cgroupRoot }, 'reduced')).toMatchObject({ usable: true, started: 'ran' })
  })

  it('when workers cannot reach the runtime tree', async () => {
    await chmod(folder, 0o700)
    expect(await attempt({ runtimeDir: join(folder, 'runtime') })).toMatchObject({
      tier: 'off',
      problems: [expect.stringContaining(`chmod o+x ${folder}`)],
      started: 'SANDBOX_UNAVAILABLE',
    })
  })

  it('when the data folder cannot be made', async () => {
    await writeFile(join(folder, 'file'), '')
    expect(await attempt({ dataDir: join(folder, 'file', 'data') })).toMatchObject({
      tier: 'off',
      problems: [expect.stringContaining('could not be prepared')],
      started: 'SANDBOX_UNAVAILABLE',
    })
  })
})

describe('project code runs', () => {
  it('with an older bubblewrap, without the options that it lacks', async () => {
    const programFolders = await programs({ bwrap: OLD_BWRAP })
    expect(await attempt({ programFolders })).toMatchObject({ tier: 'full', usable: true, started: 'ran' })
  })

  it('with a data folder that was closed to others, and opens it no further than needed', async () => {
    const dataDir = join(folder, 'data')
    await mkdir(dataDir, { mode: 0o700 })
    expect(await attempt({ dataDir })).toMatchObject({ tier: 'full', started: 'ran' })
    const { mode } = await stat(dataDir)
    expect(mode & 0o777).toBe(0o711)
  })
})
