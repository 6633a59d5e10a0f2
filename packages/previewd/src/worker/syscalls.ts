export type Machine = 'x64' | 'arm64'

/** Numbers on x86-64 and on the generic table of arm64; null where the call does not exist. */
type Numbers = readonly [x64: number | null, arm64: number | null]

/** Refused with EPERM: administration, mounts and namespaces, tracing, keys, NUMA, and reads by file handle. */
const REFUSED: Record<string, Numbers> = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  perf_event_open: [298, 241],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  memfd_secret: [447, 447],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  mbind: [237, 235],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  syslog: [103, 116],
  vhangup: [153, 58],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  uselib: [134, null],
  ustat: [136, null],
  sysfs: [139, null],
}

/** Refused with ENOSYS, so that libraries take their older way. */
const ABSENT: Record<string, Numbers> = {
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  clone3: [435, 435],
  _sysctl: [156, null],
  create_module: [174, null],
  get_kernel_syms: [177, null],
  query_module: [178, null],
  getpmsg: [181, null],
  putpmsg: [182, null],
  afs_syscall: [183, null],
  tuxcall: [184, null],
  security: [185, null],
  vserver: [236, null],
  epoll_ctl_old: [214, null],
  epoll_wait_old: [215, null],
}

export const EPERM_CALLS: Record<Machine, number[]> = byMachine(REFUSED)
export const ENOSYS_CALLS: Record<Machine, number[]> = byMachine(ABSENT)

/** Calls whose arguments decide. */
export const SPECIAL_CALLS: Record<Machine, Record<'clone' | 'ioctl' | 'personality' | 'socket', number>> = {
  x64: { clone: 56, ioctl: 16, personality: 135, socket: 41 },
  arm64: { clone: 220, ioctl: 29, personality: 92, socket: 198 },
}

function byMachine(table: Record<string, Numbers>): Record<Machine, number[]> {
  const rows = Object.values(table)
  return { x64: rows.flatMap(([x64]) => x64 ?? []), arm64: rows.flatMap(([, arm64]) => arm64 ?? []) }
}
