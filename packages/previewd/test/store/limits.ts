export const MIB = 1024 * 1024
export const LIMITS = { fileBytes: 100 * MIB, projectBytes: 1024 * MIB, files: 20_000 }
export const MIRROR = { projects: 2, delayMs: 0 }
