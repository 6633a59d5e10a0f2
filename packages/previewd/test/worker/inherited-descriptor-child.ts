import { openSandbox, shell } from './sandbox.ts'

/** Started with a descriptor that it knows nothing of: says which ones project code has. */
await using sandbox = await openSandbox()
await using worker = await sandbox.start()
const { stdout } = await shell(worker, 'ls -l /proc/self/fd')
process.stdout.write(stdout)
