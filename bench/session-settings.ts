/** The build that follows edits would run beside the next sample: as late as the server allows. */
const QUIET_MS = 10 * 60 * 1000

/** One for the builds and one for the sessions of each project that is measured. */
const POOL_SIZE = 4

export const SESSION_SETTINGS = {
  PREVIEWD_BUILD_QUIET_MS: String(QUIET_MS),
  PREVIEWD_POOL_SIZE: String(POOL_SIZE),
}
