import { resolveConfig } from '../../src/config.ts'
import { startDaemon } from '../../src/daemon.ts'

/** The daemon as a program of its own, for tests that kill it: prints its address and runs until then. */
const daemon = await startDaemon(resolveConfig())
console.log(JSON.stringify({ url: daemon.url }))
