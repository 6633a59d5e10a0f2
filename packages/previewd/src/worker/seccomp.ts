import { ENOSYS_CALLS, EPERM_CALLS, type Machine, SPECIAL_CALLS } from './syscalls.ts'

// Classic BPF, see linux/filter.h and seccomp(2).
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_GREATER = 0x25
const JUMP_SET = 0x45
const RETURN = 0x06

const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const errno = (number: number) => 0x00050000 | number
const EPERM = errno(1)
const ENOSYS = errno(38)
const EAFNOSUPPORT = errno(97)

// Offsets in struct seccomp_data; the low half of an argument, as both machines are little-endian.
const NUMBER = 0
const ARCHITECTURE = 4
const argument = (index: number) => 16 + 8 * index

/** Every CLONE_NEW* flag that fits clone(2). */
const NAMESPACE_FLAGS = 0x7e020000
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
const PERSONALITY_QUERY = 0xffffffff
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const NETLINK_ROUTE = 0
/** futex_requeue, the newest call that was reviewed; what the kernel adds later does not exist in the sandbox. */
const NEWEST_REVIEWED = 456

const AUDIT_ARCH: Record<Machine, number> = { x64: 0xc000003e, arm64: 0xc00000b7 }

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/**
 * The seccomp filter of a worker, as an array of struct sock_filter. What Node, shells and build tools need passes;
 * kernel surface that they do not need (namespaces, mounts, tracing, keys, io_uring, exotic sockets) is refused with
 * an errno that programs handle. clone3 is ENOSYS, because its flags cannot be inspected: libc falls back to clone.
 */
export function seccompProgram(machine: Machine): Buffer {
  const calls = SPECIAL_CALLS[machine]
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
    // Also refuses the x32 numbers of x86-64, which start at 2^30.
    [JUMP_GREATER, 0, 1, NEWEST_REVIEWED],
    [RETURN, 0, 0, ENOSYS],
    ...EPERM_CALLS[machine].flatMap((number) => onCall(number, [[RETURN, 0, 0, EPERM]])),
    ...ENOSYS_CALLS[machine].flatMap((number) => onCall(number, [[RETURN, 0, 0, ENOSYS]])),
    ...onCall(calls.clone, [
      [LOAD_WORD, 0, 0, argument(0)],
      [JUMP_SET, 0, 1, NAMESPACE_FLAGS],
      [RETURN, 0, 0, EPERM],
      [RETURN, 0, 0, ALLOW],
    ]),
    ...onCall(calls.ioctl, [
      [LOAD_WORD, 0, 0, argument(1)],
      [JUMP_EQUAL, 1, 0, TIOCSTI],
      [JUMP_EQUAL, 0, 1, TIOCLINUX],
      [RETURN, 0, 0, EPERM],
      [RETURN, 0, 0, ALLOW],
    ]),
    ...onCall(calls.personality, [
      [LOAD_WORD, 0, 0, argument(0)],
      [JUMP_EQUAL, 2, 0, 0],
      [JUMP_EQUAL, 1, 0, PERSONALITY_QUERY],
      [RETURN, 0, 0, EPERM],
      [RETURN, 0, 0, ALLOW],
    ]),
    ...onCall(calls.socket, [
      [LOAD_WORD, 0, 0, argument(0)],
      [JUMP_EQUAL, 6, 0, AF_UNIX],
      [JUMP_EQUAL, 5, 0, AF_INET],
      [JUMP_EQUAL, 4, 0, AF_INET6],
      [JUMP_EQUAL, 0, 2, AF_NETLINK],
      [LOAD_WORD, 0, 0, argument(2)],
      [JUMP_EQUAL, 1, 0, NETLINK_ROUTE],
      [RETURN, 0, 0, EAFNOSUPPORT],
      [RETURN, 0, 0, ALLOW],
    ]),
    [RETURN, 0, 0, ALLOW],
  ]
  return assemble(program)
}

/** Runs the block, which returns on every path, when the call has this number. */
function onCall(number: number, block: Instruction[]): Instruction[] {
  return [[JUMP_EQUAL, 0, block.length, number], ...block]
}

function assemble(program: Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(ifTrue, index * 8 + 2)
    bytes.writeUInt8(ifFalse, index * 8 + 3)
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4)
  }
  return bytes
}
