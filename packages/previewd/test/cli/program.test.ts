import { expect, test } from 'vitest'
import type { Finding } from '../../src/cli/command-line.ts'
import { commandLineForTests } from './command-line-for-tests.ts'
import { projectFolder } from './project-folder.ts'

test('without a server a command says which one it looked for and ends with 3', async () => {
  const { code, err } = await commandLineForTests('http://127.0.0.1:9').run('ls')
  expect(err).toContain('No previewd answers at http://127.0.0.1:9')
  expect(code).toBe(3)
})

test('with --json an error is JSON on stderr and stdout stays empty', async () => {
  const { code, out, err } = await commandLineForTests('http://127.0.0.1:9').run('ls', '--json')
  expect(JSON.parse(err)).toMatchObject({ error: { code: 'SERVER_UNREACHABLE' } })
  expect({ code, out }).toEqual({ code: 3, out: '' })
})

test.each([
  ['an unknown command', ['pish']],
  ['an unknown option', ['ls', '--nonsense']],
  ['a missing argument', ['push']],
  ['a folder that is not there', ['push', '/no/such/folder', '--project', 'x']],
  ['a key for a project without one', ['keys', 'create', 'x', '--scope', 'project']],
])('%s is a mistake of usage: 2', async (_, args) => {
  const { code, err } = await commandLineForTests().run(...args)
  expect(err).toContain('error')
  expect(code).toBe(2)
})

test('a folder whose name makes no project id needs --project', async () => {
  await using folder = await projectFolder({ '___/index.html': '' })
  const { code, err } = await commandLineForTests().run('push', `${folder.path}/___`)
  expect(err).toContain('--project')
  expect(code).toBe(2)
})

test('help and version go to stdout and are no error', async () => {
  expect(await commandLineForTests().run('--help')).toMatchObject({ code: 0, err: '' })
  expect(await commandLineForTests().run('--version')).toEqual({ code: 0, out: '1.2.3\n', err: '' })
})

test('doctor prints each finding and ends with 1 where one is not well', async () => {
  const findings: Finding[] = [
    { name: 'bubblewrap', ok: true, level: 'good', detail: '0.8.0' },
    { name: 'disk', ok: true, level: 'warning', detail: 'It is nearly full.' },
    { name: 'cgroups', ok: false, level: 'error', detail: 'No memory controller: reboot with cgroup v2.' },
  ]
  const doctor = (ok: boolean) =>
    commandLineForTests(undefined, {
      inspectMachine: async () => findings.filter((finding) => !ok || finding.ok),
    })
  expect(await doctor(false).run('doctor')).toMatchObject({
    code: 1,
    out: expect.stringContaining('✗ cgroups'),
  })
  expect(await doctor(true).run('doctor')).toMatchObject({ code: 0, out: expect.stringContaining('! disk') })
  expect(JSON.parse((await doctor(false).run('doctor', '--json')).out)).toEqual(findings)
})

test('serve explains a port that is taken', async () => {
  const taken = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' })
  const { code, err } = await commandLineForTests(undefined, {
    startDaemon: () => Promise.reject(taken),
  }).run('serve')
  expect(err).toContain('The port is taken')
  expect(code).toBe(1)
})

test('serve explains a disk that is full', async () => {
  const full = Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 })
  const startDaemon = () => Promise.reject(full)
  const { code, err } = await commandLineForTests(undefined, { startDaemon }).run('serve')
  expect(code).toBe(1)
  expect(err).toContain('The disk is full')
})

test('serve hands its options on as settings', async () => {
  const given: Record<string, string>[] = []
  const startDaemon = (overrides: Record<string, string>) => {
    given.push(overrides)
    return Promise.reject(new Error('enough'))
  }
  await commandLineForTests(undefined, { startDaemon }).run('serve', '--port', '4500', '--unsafe-no-sandbox')
  expect(given).toEqual([{ PREVIEWD_PORT: '4500', PREVIEWD_UNSAFE_NO_SANDBOX: '1' }])
})
