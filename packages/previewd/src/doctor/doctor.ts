import type { Config } from '../config.ts'
import type { SandboxTier } from '../model/worker.ts'
import { probePlaces } from '../source/probe-places.ts'
import { inspectSandbox } from '../worker/inspect.ts'
import { bad, type Finding, good, warning } from './finding.ts'
import { findSeccomp, findUserNamespaces } from './kernel.ts'
import { findDisk, findMemory } from './space.ts'

const MINIMUM_NODE = [24, 15] as const

/** The part of the configuration that matters here. */
export interface Inspected {
  dataDir: string
  sandbox: SandboxTier
  build: { concurrency: number; memoryBytes: number }
  sources: Config['sources']
}

/**
 * What this machine has and lacks for previewd to run on it as it is configured. Starts one sandboxed worker on
 * trial, which prepares the data folder as the server would.
 */
export async function inspectMachine(config: Inspected): Promise<Finding[]> {
  return [
    findNode(process.versions.node),
    findPlatform(process.platform, process.arch),
    await findUserNamespaces(),
    await findSeccomp(),
    ...(await findSandbox(config)),
    ...(await findDisk(config.dataDir)),
    findMemory(config.build),
    ...(await findSources(config)),
  ]
}

export function findNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [neededMajor, neededMinor] = MINIMUM_NODE
  const enough = major > neededMajor || (major === neededMajor && minor >= neededMinor)
  if (enough) return good('Node.js', `It is version ${version}.`)
  return bad('Node.js', `It is version ${version}; ${neededMajor}.${neededMinor} or newer is needed.`)
}

export function findPlatform(platform: string, arch: string): Finding {
  const known = platform === 'linux' && (arch === 'x64' || arch === 'arm64')
  if (known) return good('System', `It is ${platform} on ${arch}.`)
  return bad(
    'System',
    `It is ${platform} on ${arch}; the sandbox needs Linux on x64 or arm64, also in a virtual machine.`,
  )
}

/** Every place that the operator named is asked for a listing, with the credentials that a sync would use. */
export async function findSources(config: Pick<Inspected, 'sources'>): Promise<Finding[]> {
  const probed = await probePlaces(config)
  return probed.map(({ place, problem }) =>
    problem === undefined ? good(`Source ${place}`, 'It can be listed.') : bad(`Source ${place}`, problem),
  )
}

async function findSandbox({ dataDir, sandbox }: Inspected): Promise<Finding[]> {
  const { status, bwrapVersion, cgroupVersion } = await inspectSandbox({ dataDir, minimumTier: sandbox })
  const tier = `The tier is ${status.tier}`
  return [
    bwrapVersion === undefined
      ? bad('bubblewrap', 'It is missing; install the package bubblewrap.')
      : good('bubblewrap', `It is version ${bwrapVersion}.`),
    cgroupVersion === undefined
      ? warning(
          'Control groups',
          'None can be made, so memory, processes and processor of builds have no limit.',
        )
      : good('Control groups', `Version ${cgroupVersion} limits memory, processes and processor of builds.`),
    !status.usable
      ? bad('Sandbox', `${tier}, so project code does not run. ${status.problems.join(' ')}`)
      : status.problems.length > 0
        ? warning('Sandbox', `${tier}. ${status.problems.join(' ')}`)
        : good('Sandbox', `${tier}: a worker was started on trial.`),
  ]
}
