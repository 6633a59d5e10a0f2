import { posix } from 'node:path'
import type { Bind } from '../model/worker.ts'

/** What the installed bubblewrap can do. */
export interface BwrapFeatures {
  path: string
  version: string
  /** `--size`, since 0.7. */
  tmpfsSize: boolean
  /** `--disable-userns`, since 0.8; before that only seccomp forbids new user namespaces. */
  disableUserns: boolean
}

export interface SandboxLayout {
  /** Host folder with `usr`, `etc` and `previewd`. */
  runtimeTree: string
  binds: readonly Bind[]
  /** Host path of the Node that project code runs with, in place of the tree's. */
  node?: string
  /** Socket on the host, for the bridge. */
  bridgeSocket?: string
  appBytes: number
  tmpBytes: number
}

/** Where the bridge's socket is inside. */
export const BRIDGE_SOCKET = '/bridge.sock'
/** Where the tree's own Node is for the child half, where project code has another. */
export const ENTRY_NODE = '/entry-node'
const SHM_BYTES = 64 * 1024 * 1024
const NEEDED_OPTIONS = [
  'args',
  'seccomp',
  'perms',
  'clearenv',
  'remount-ro',
  'new-session',
  'die-with-parent',
]
const OVERFLOW_ID = '65534'
const OWN_TARGETS = [
  '/usr',
  '/etc',
  '/previewd',
  '/proc',
  '/dev',
  '/bin',
  '/lib',
  '/lib64',
  '/sbin',
  BRIDGE_SOCKET,
  ENTRY_NODE,
]

/** From the texts of `bwrap --version` and `bwrap --help`; a sentence where it is too old. */
export function readFeatures(path: string, versionText: string, helpText: string): BwrapFeatures | string {
  const version = /\d[\d.]*/.exec(versionText)?.[0] ?? 'unknown'
  const missing = NEEDED_OPTIONS.filter((option) => !helpText.includes(`--${option} `))
  if (missing.length > 0) {
    return `bubblewrap ${version} lacks --${missing.join(', --')}; install version 0.5 or newer.`
  }
  const tmpfsSize = helpText.includes('--size ')
  return { path, version, tmpfsSize, disableUserns: helpText.includes('--disable-userns ') }
}

/**
 * The arguments for `bwrap --args`, without the command. The mount namespace is an allow-list: a runtime tree, three sized tmpfs and what
 * the specification binds; everything else is read-only and the root is empty.
 */
export function bwrapArguments(features: BwrapFeatures, layout: SandboxLayout): string[] {
  const tmpfs = (target: string, bytes: number, mode: string) => [
    ...['--perms', mode],
    ...(features.tmpfsSize ? ['--size', String(bytes)] : []),
    ...['--tmpfs', target],
  ]
  return [
    ...['--unshare-all', '--unshare-user', ...(features.disableUserns ? ['--disable-userns'] : [])],
    ...['--die-with-parent', '--new-session', '--clearenv', '--cap-drop', 'ALL'],
    ...['--uid', OVERFLOW_ID, '--gid', OVERFLOW_ID, '--hostname', 'sandbox'],
    ...['--ro-bind', `${layout.runtimeTree}/usr`, '/usr'],
    ...(layout.node === undefined ? [] : otherNode(layout.runtimeTree, layout.node)),
    ...['--ro-bind', `${layout.runtimeTree}/etc`, '/etc'],
    ...['--ro-bind', `${layout.runtimeTree}/previewd`, '/previewd'],
    ...['bin', 'lib', 'lib64', 'sbin'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev'],
    ...tmpfs('/dev/shm', SHM_BYTES, '1777'),
    ...tmpfs('/tmp', layout.tmpBytes, '1777'),
    ...['--dir', '/tmp/home'],
    ...tmpfs('/app', layout.appBytes, '0755'),
    // Packages that import what they do not declare find the project's own dependencies here.
    ...['--symlink', 'app/node_modules', '/node_modules'],
    ...layout.binds.flatMap(bindArguments),
    ...(layout.bridgeSocket ? ['--ro-bind', layout.bridgeSocket, BRIDGE_SOCKET] : []),
    ...['--remount-ro', '/', '--chdir', '/app'],
  ]
}

/** The child half is made for the Node of the server. */
function otherNode(runtimeTree: string, node: string): string[] {
  return ['--ro-bind', node, '/usr/bin/node', '--ro-bind', `${runtimeTree}/usr/bin/node`, ENTRY_NODE]
}

function bindArguments({ source, target, writable }: Bind): string[] {
  const reserved = OWN_TARGETS.some((own) => target === own || target.startsWith(`${own}/`))
  if (!posix.isAbsolute(target) || posix.normalize(target) !== target || target === '/' || reserved) {
    throw new Error(`nothing can be bound at ${target}`)
  }
  return [writable ? '--bind' : '--ro-bind', source, target]
}
