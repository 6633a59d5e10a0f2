import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import { findNode, findPlatform, inspectMachine } from '../../src/doctor/doctor.ts'
import { findSeccomp, findUserNamespaces } from '../../src/doctor/kernel.ts'
import { findDisk, findMemory } from '../../src/doctor/space.ts'

const GIB = 1024 ** 3
const { sources } = resolveConfig({ PREVIEWD_REGISTRY: 'http://registry.invalid/' })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'previewd-doctor-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

describe('the doctor', () => {
  it('finds this machine well, where the other tests run', { timeout: 30_000 }, async () => {
    await chmod(folder, 0o711)
    const build = { concurrency: 1, memoryBytes: GIB }
    const findings = await inspectMachine({ dataDir: join(folder, 'data'), sandbox: 'full', build, sources })
    expect(findings.filter(({ ok }) => !ok)).toEqual([])
    expect(findings.map(({ name }) => name)).toEqual([
      ...[
        'Node.js',
        'System',
        'User namespaces',
        'Seccomp',
        'bubblewrap',
        'Control groups',
        'Sandbox',
        'Disk',
      ],
      ...['Inodes', 'Memory'],
    ])
  })

  it('says what keeps workers out of the data folder', { timeout: 30_000 }, async () => {
    const build = { concurrency: 1, memoryBytes: GIB }
    const findings = await inspectMachine({ dataDir: join(folder, 'data'), sandbox: 'full', build, sources })
    const sandbox = findings.find(({ name }) => name === 'Sandbox')
    expect(sandbox).toMatchObject({ ok: false, detail: expect.stringContaining(`chmod o+x ${folder}`) })
  })

  it('compares versions of Node by number', () => {
    expect(['24.9.0', '24.15.0', '25.0.0', '22.99.0'].map((version) => findNode(version).ok)).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('knows where the sandbox does not exist', () => {
    expect(findPlatform('darwin', 'arm64').ok).toBe(false)
    expect(findPlatform('linux', 'riscv64').ok).toBe(false)
  })

  it.each([
    ['proc/sys/user/max_user_namespaces', '0\n', 'user.max_user_namespaces=15000'],
    ['proc/sys/kernel/unprivileged_userns_clone', '0\n', 'unprivileged_userns_clone=1'],
    ['proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1\n', 'bwrap-userns-restrict'],
  ])('names what blocks user namespaces: %s', async (path, value, remedy) => {
    await write(path, value)
    expect(await findUserNamespaces(folder)).toMatchObject({
      ok: false,
      detail: expect.stringContaining(remedy),
    })
  })

  it('is content with a profile of AppArmor for bubblewrap', async () => {
    await write('proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1\n')
    await write('etc/apparmor.d/bwrap-userns-restrict', '')
    expect((await findUserNamespaces(folder)).ok).toBe(true)
  })

  it('names what the kernel cannot filter', async () => {
    await write('proc/sys/kernel/seccomp/actions_avail', 'kill_thread trap errno trace allow\n')
    expect((await findSeccomp(folder)).detail).toContain('lacks kill_process')
  })

  it('warns of builds that do not fit into the memory', () => {
    const build = { concurrency: 4, memoryBytes: 2 * GIB }
    expect(findMemory(build, 8 * GIB)).toMatchObject({ ok: true, level: 'warning' })
    expect(findMemory(build, 16 * GIB).level).toBe('good')
  })

  it('looks at the disk that a folder will be on', async () => {
    expect((await findDisk(join(folder, 'not/yet/there')))[0]?.name).toBe('Disk')
  })
})
