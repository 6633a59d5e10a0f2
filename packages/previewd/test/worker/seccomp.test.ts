import { describe, expect, it } from 'vitest'
import { seccompProgram } from '../../src/worker/seccomp.ts'
import { EPERM_CALLS, type Machine, SPECIAL_CALLS } from '../../src/worker/syscalls.ts'

const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 }

/** Runs the program as the kernel would, on one call; says what becomes of it. */
function decide(machine: Machine, number: number, args: number[] = [], arch = ARCH[machine]): string {
  const program = seccompProgram(machine)
  const call = Buffer.alloc(64)
  call.writeUInt32LE(number, 0)
  call.writeUInt32LE(arch, 4)
  for (const [index, value] of args.entries()) call.writeUInt32LE(value, 16 + 8 * index)
  let accumulator = 0
  for (let pc = 0; pc * 8 < program.length; pc++) {
    const [code, ifTrue, ifFalse, value] = [
      program.readUInt16LE(pc * 8),
      program.readUInt8(pc * 8 + 2),
      program.readUInt8(pc * 8 + 3),
      program.readUInt32LE(pc * 8 + 4),
    ]
    if (code === 0x20) accumulator = call.readUInt32LE(value)
    else if (code === 0x15) pc += accumulator === value ? ifTrue : ifFalse
    else if (code === 0x25) pc += accumulator > value ? ifTrue : ifFalse
    else if (code === 0x45) pc += (accumulator & value) !== 0 ? ifTrue : ifFalse
    else if (code === 0x06) return verdict(value)
    else throw new Error(`instruction ${code}`)
  }
  throw new Error('fell off the end')
}

function verdict(value: number): string {
  if (value === 0x7fff0000) return 'allow'
  if (value === 0x80000000) return 'kill'
  return `errno ${value & 0xffff}`
}

describe.each(['x64', 'arm64'] as const)('the filter of %s', (machine) => {
  const calls = SPECIAL_CALLS[machine]

  it('is short enough for the kernel and ends on every call', () => {
    expect(seccompProgram(machine).length / 8).toBeLessThan(4096)
    for (let number = 0; number < 1000; number++)
      expect(decide(machine, number)).toMatch(/^(allow|errno \d+)$/)
  })

  it('kills what comes through the entry of another machine', () => {
    expect(decide(machine, 1, [], 0x40000003)).toBe('kill')
  })

  it('refuses each call of the table', () => {
    expect(new Set(EPERM_CALLS[machine].map((number) => decide(machine, number)))).toEqual(
      new Set(['errno 1']),
    )
    expect(decide(machine, 425)).toBe('errno 38')
    expect(decide(machine, 435)).toBe('errno 38')
    expect(decide(machine, 457)).toBe('errno 38')
  })

  it('lets threads and forks pass, and no clone with a namespace', () => {
    expect(decide(machine, calls.clone, [0x3d0f00])).toBe('allow')
    expect(decide(machine, calls.clone, [0x1200011])).toBe('allow')
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(decide(machine, calls.clone, [flag | 17])).toBe('errno 1')
    }
  })

  it('lets local and internet sockets pass, and no others', () => {
    const allowed = Array.from({ length: 50 }, (_, family) => family).filter(
      (family) => decide(machine, calls.socket, [family, 1, 0]) === 'allow',
    )
    expect(allowed).toEqual([1, 2, 10, 16])
    expect(decide(machine, calls.socket, [16, 3, 15])).toBe('errno 97')
  })

  it('refuses to type into terminals and to switch off address randomisation', () => {
    expect([0x5412, 0x541c, 0x5401].map((request) => decide(machine, calls.ioctl, [0, request]))).toEqual([
      'errno 1',
      'errno 1',
      'allow',
    ])
    expect([0, 0xffffffff, 0x40000].map((value) => decide(machine, calls.personality, [value]))).toEqual([
      'allow',
      'allow',
      'errno 1',
    ])
  })
})
