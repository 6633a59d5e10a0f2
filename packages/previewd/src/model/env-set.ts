/**
 * A named set of variables with which a project is built once more, for a preview of its own at `{name}--{project}`.
 * Its variables go over those of the project.
 */
export interface EnvSet {
  env: Record<string, string>
  /** Vite's mode, in place of the project's. */
  mode?: string
}

/** Each is one more build of every revision, and one more artifact. */
export const MAX_ENV_SETS = 4

const NAME = /^[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?$/
const BUILD_ID = /^[a-z0-9]{12}$/

/** A part of a DNS label, which cannot be taken for the id of a build. */
export function isEnvSetName(name: string): boolean {
  return NAME.test(name) && !name.includes('--') && !BUILD_ID.test(name)
}

/** The artifact of a build with a set. */
export function envSetArtifactId(buildId: string, name: string): string {
  return `${buildId}-set-${name}`
}
