import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSandbox, script, shell, type TestSandbox } from './sandbox.ts'

const CANARY = 'canary-3f9a1c77'

let sandbox: TestSandbox
beforeAll(async () => {
  // In the environment and the arguments of everything that the daemon could hand down.
  process.env.PREVIEWD_CANARY = CANARY
  sandbox = await openSandbox()
})
afterAll(async () => {
  delete process.env.PREVIEWD_CANARY
  await sandbox[Symbol.asyncDispose]()
})

describe('project code', () => {
  it('finds no secret of the daemon in any process that it can read', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await script(
      worker,
      `import { globSync, readFileSync } from 'node:fs'
       for (const file of globSync('/proc/{[0-9]*,[0-9]*/task/*}/{environ,cmdline}')) {
         try { console.log(file, readFileSync(file, 'latin1')) } catch (error) { console.log(file, error.code) }
       }`,
    )
    expect(stdout).toContain('/previewd/worker/entry.js')
    expect(stdout).toMatch(/^\/proc\/1\/environ /m)
    expect(stdout).not.toContain(CANARY)
    expect(stdout).not.toContain(sandbox.folder)
  })

  it('cannot read files of root in what is bound for it', async () => {
    const folder = join(sandbox.folder, 'bound')
    mkdirSync(folder)
    writeFileSync(join(folder, 'secret'), CANARY, { mode: 0o600 })
    writeFileSync(join(folder, 'open'), 'open')
    await using worker = await sandbox.start({ binds: [{ source: folder, target: '/bound' }] })
    const { stdout, stderr } = await shell(
      worker,
      'cat /bound/open; cat /bound/secret; chmod 777 /bound/secret',
    )
    expect(stdout).toBe('open')
    expect(stderr).toMatch(/secret: Permission denied/)
  })

  it('sees these mounts and no others', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await shell(worker, 'cut -d" " -f5,6 /proc/self/mountinfo')
    const mounts = stdout.split('\n').map((line) => line.replace(',relatime', ''))
    expect(mounts).toEqual([
      '/ ro,nosuid,nodev',
      '/usr ro,nosuid,nodev',
      '/etc ro,nosuid,nodev',
      '/previewd ro,nosuid,nodev',
      '/proc rw,nosuid,nodev,noexec',
      '/dev ro,nosuid,nodev',
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name} rw,nosuid`),
      '/dev/pts rw,nosuid,noexec',
      '/dev/shm rw,nosuid,nodev',
      '/tmp rw,nosuid,nodev',
      '/app rw,nosuid,nodev',
    ])
  })

  it('finds no file of the host', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await shell(
      worker,
      'ls -d /etc/shadow /root /home /run /sys /var /mnt /boot; ls /etc; ls / | wc -l',
    )
    expect(stdout.split('\n')).toEqual(['group', 'hosts', 'nsswitch.conf', 'passwd', '12'])
  })

  it('writes to its own three folders alone', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await script(
      worker,
      `import { writeFileSync } from 'node:fs'
       for (const folder of ['/app', '/tmp', '/dev/shm', '/', '/usr', '/usr/bin', '/etc', '/previewd', '/dev', '/proc/sys/kernel']) {
         try { writeFileSync(folder + '/x', ''); console.log(folder) } catch {}
       }`,
    )
    expect(stdout).toBe('/app\n/tmp\n/dev/shm')
  })

  it('has no privilege, no capability and no way to get one', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await shell(
      worker,
      'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status | tr -s "\\t " " "',
    )
    expect(stdout.split('\n')).toEqual([
      'Uid: 65534 65534 65534 65534',
      'Gid: 65534 65534 65534 65534',
      expect.stringMatching(/^Groups: ?(65534 ?)?$/),
      ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}: 0000000000000000`),
      'NoNewPrivs: 1',
      'Seccomp: 2',
      'Seccomp_filters: 1',
    ])
  })

  it('sees only its own processes', async () => {
    await using worker = await sandbox.start()
    await using other = await sandbox.start()
    const running = shell(other, 'exec sleep 12345')
    const { stdout } = await shell(worker, `cat /proc/[0-9]*/comm | sort -u`)
    expect(stdout.split('\n')).not.toContain('sleep')
    await other.stop()
    await running
  })

  it('is handed no open file of the host', async () => {
    await using worker = await sandbox.start()
    const { stdout } = await script(
      worker,
      `import { globSync, readlinkSync } from 'node:fs'
       for (const file of globSync('/proc/[0-9]*/fd/*')) {
         try { console.log(readlinkSync(file).replace(/[0-9]+/g, 'N')) } catch {}
       }`,
    )
    const kinds = new Set(stdout.split('\n'))
    const ours = ['/dev/null', 'socket:[N]', 'pipe:[N]', '/proc', '/proc/N/fd', '/']
    expect([...kinds].filter((kind) => !kind.startsWith('anon_inode:') && !ours.includes(kind))).toEqual([])
  })

  it('runs under a host user of its own slot', async () => {
    await using a = await sandbox.start()
    await using b = await sandbox.start()
    await using installer = await sandbox.start({ role: 'installer' })
    const markers = [a, b, installer].map((_, index) => String(Date.now() + index))
    const running = [a, b, installer].map((worker, index) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const args = ['-e', 'console.log("up"); setInterval(() => {}, 60_000)', markers[index] ?? '']
      return {
        up: promise,
        end: worker.run({ kind: 'exec', file: 'node', args, cwd: '', env: {} }, () => resolve()),
      }
    })
    await Promise.all(running.map(({ up }) => up))
    const [first = 0, second = 0, third] = markers.map(hostUidOf)
    expect(third).toBe(869_999)
    expect(new Set([first, second]).size).toBe(2)
    expect(Math.min(first, second)).toBeGreaterThanOrEqual(870_000)
  })
})

/** The user, on the host, of the process with this argument. */
function hostUidOf(argument: string): number | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const running = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      if (running.endsWith(`\0${argument}\0`)) return statSync(`/proc/${pid}`).uid
    } catch (error) {
      // Processes end while they are looked at.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  return undefined
}

describe('the network of project code', () => {
  it('is not there: every connection fails at once', async () => {
    const server = createServer((socket) => socket.end('reached'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    try {
      await using worker = await sandbox.start()
      const { stdout } = await script(
        worker,
        `import { connect } from 'node:net'
         import { createSocket } from 'node:dgram'
         import { lookup, resolve4 } from 'node:dns/promises'
         import { networkInterfaces } from 'node:os'
         const attempt = (target) => new Promise((done) => {
           const socket = connect(target, () => done('reached'))
           socket.setTimeout(5000, () => done('timed out'))
           socket.on('error', (error) => done(error.code))
         })
         console.log(await attempt({ host: '127.0.0.1', port: ${port} }))
         console.log(await attempt({ host: '169.254.169.254', port: 80 }))
         console.log(await attempt({ host: '10.0.0.1', port: 80 }))
         console.log(await attempt({ host: '1.1.1.1', port: 443 }))
         console.log(await attempt({ host: '2606:4700:4700::1111', port: 443 }))
         console.log(await attempt({ host: 'fe80::1', port: 80 }))
         console.log(await attempt({ path: '\\0/tmp/.X11-unix/X0' }))
         console.log(await attempt({ path: '/run/docker.sock' }))
         console.log(await lookup('example.com').catch((error) => error.code))
         console.log(await resolve4('example.com').catch((error) => error.code))
         console.log(await new Promise((done) => createSocket('udp4').send('x', 53, '8.8.8.8', (error) => done(error?.code))))
         console.log(Object.keys(networkInterfaces()).join())
         process.exit()`,
      )
      expect(stdout.split('\n')).toEqual([
        'ECONNREFUSED',
        'ENETUNREACH',
        'ENETUNREACH',
        'ENETUNREACH',
        'ENETUNREACH',
        expect.stringMatching(/ENETUNREACH|EINVAL|EADDRNOTAVAIL/),
        'ECONNREFUSED',
        'ENOENT',
        expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
        'ECONNREFUSED',
        'ENETUNREACH',
        'lo',
      ])
    } finally {
      server.close()
    }
  })
})

/** Perl can call the kernel by number; it is bound into the sandbox for this test alone. */
const PERL = '/usr/bin/perl'

describe.skipIf(!existsSync(PERL) || process.arch !== 'x64')('the kernel', () => {
  it('refuses what project code does not need', async () => {
    const tools = join(sandbox.folder, 'tools')
    mkdirSync(tools)
    for (const [, path = ''] of execFileSync('ldd', [PERL], { encoding: 'utf8' }).matchAll(/=> (\/\S+)/g)) {
      copyFileSync(path, join(tools, path.slice(path.lastIndexOf('/') + 1)))
    }
    copyFileSync(PERL, join(tools, 'perl'))
    chmodSync(join(tools, 'perl'), 0o755)
    const EPERM = 1
    const EFAULT = 14
    const ENOSYS = 38
    const EAFNOSUPPORT = 97
    const calls: [name: string, expected: number, number: number, ...args: number[]][] = [
      ['io_uring_setup', ENOSYS, 425, 1, 0],
      ['clone3', ENOSYS, 435, 0, 0],
      ['keyctl', EPERM, 250, 0, 0],
      ['add_key', EPERM, 248, 0, 0, 0, 0, 0],
      ['userfaultfd', EPERM, 323, 0],
      ['unshare NEWUSER', EPERM, 272, 0x10000000],
      ['clone NEWUSER', EPERM, 56, 0x10000000, 0, 0, 0, 0],
      ['clone NEWNET', EPERM, 56, 0x40000000, 0, 0, 0, 0],
      ['setns', EPERM, 308, 0, 0],
      ['mount', EPERM, 165, 0, 0, 0, 0, 0],
      ['umount2', EPERM, 166, 0, 0],
      ['fsopen', EPERM, 430, 0, 0],
      ['pivot_root', EPERM, 155, 0, 0],
      ['chroot', EPERM, 161, 0],
      ['ptrace', EPERM, 101, 16, 1, 0, 0],
      ['process_vm_readv', EPERM, 310, 1, 0, 0, 0, 0, 0],
      ['pidfd_getfd', EPERM, 438, 0, 0, 0],
      ['bpf', EPERM, 321, 0, 0, 0],
      ['perf_event_open', EPERM, 298, 0, 0, 0, 0, 0],
      ['open_by_handle_at', EPERM, 304, 0, 0, 0],
      ['syslog', EPERM, 103, 3, 0, 0],
      ['personality ADDR_NO_RANDOMIZE', EPERM, 135, 0x0040000],
      ['socket AF_VSOCK', EAFNOSUPPORT, 41, 40, 1, 0],
      ['socket AF_PACKET', EAFNOSUPPORT, 41, 17, 3, 0],
      ['socket AF_ALG', EAFNOSUPPORT, 41, 38, 5, 0],
      ['socket AF_NETLINK NETFILTER', EAFNOSUPPORT, 41, 16, 3, 12],
      ['ioctl TIOCSTI', EPERM, 16, 0, 0x5412, 0],
      ['x32 getpid', ENOSYS, 0x40000000 + 39],
      ['a call of the future', ENOSYS, 500],
      // And what must work.
      ['getpid', 0, 39],
      ['socket AF_INET', 0, 41, 2, 1, 0],
      ['socket AF_NETLINK ROUTE', 0, 41, 16, 3, 0],
      ['memfd_create', EFAULT, 319, 0, 0],
    ]
    const source = calls
      .map(
        ([, , ...numbers]) => `$! = 0; $r = syscall(${numbers.join(',')}); print $r < 0 ? $! + 0 : 0, "\\n";`,
      )
      .join('')
    await using worker = await sandbox.start({ binds: [{ source: tools, target: '/tools' }] })
    const { stdout } = await shell(worker, `LD_LIBRARY_PATH=/tools /tools/perl -e '${source}'`)
    const answers = stdout.split('\n').map(Number)
    expect(Object.fromEntries(calls.map(([name], index) => [name, answers[index]]))).toEqual(
      Object.fromEntries(calls.map(([name, expected]) => [name, expected])),
    )
  })
})
