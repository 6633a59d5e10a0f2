import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import { bad, type Finding, good, warning } from './finding.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const FULL_BYTES = 512 * MIB
const SCARCE_BYTES = 5 * GIB
const SCARCE_INODES = 200_000
/** What the daemon itself and the system want beside the builds. */
const DAEMON_BYTES = 512 * MIB

/** Free space and inodes of the file system that the data folder is, or will be, on. */
export async function findDisk(dataDir: string): Promise<Finding[]> {
  const { bavail, bsize, files, ffree } = await statfsOfNearest(dataDir)
  const free = bavail * bsize
  const said = `${(free / GIB).toFixed(1)} GiB are free at ${dataDir}`
  const space =
    free < FULL_BYTES
      ? bad('Disk', `Only ${said}; make room or move PREVIEWD_DATA.`)
      : free < SCARCE_BYTES
        ? warning('Disk', `${said}, which dependencies of a few projects fill; 5 GiB are a good start.`)
        : good('Disk', `${said}.`)
  // File systems such as btrfs have no fixed number.
  if (files === 0) return [space]
  const inodes =
    ffree < SCARCE_INODES
      ? warning('Inodes', `Only ${ffree} are free at ${dataDir}; dependencies are many small files.`)
      : good('Inodes', `${ffree} are free.`)
  return [space, inodes]
}

/** Whether as many builds as are configured fit into the memory side by side. */
export function findMemory(
  build: { concurrency: number; memoryBytes: number },
  totalBytes = totalmem(),
): Finding {
  const needed = build.concurrency * build.memoryBytes + DAEMON_BYTES
  const said = `${build.concurrency} builds of up to ${(build.memoryBytes / GIB).toFixed(1)} GiB side by side`
  if (needed <= totalBytes) return good('Memory', `${(totalBytes / GIB).toFixed(1)} GiB carry ${said}.`)
  return warning(
    'Memory',
    `${said} do not fit into ${(totalBytes / GIB).toFixed(1)} GiB; lower PREVIEWD_BUILD_CONCURRENCY or PREVIEWD_BUILD_MEMORY.`,
  )
}

async function statfsOfNearest(path: string): Promise<StatsFs> {
  try {
    return await statfs(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) throw error
    return await statfsOfNearest(dirname(path))
  }
}
