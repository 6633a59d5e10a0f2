import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 5_000
/** Timers of tools take less between two looks; an edit takes more. */
const BUSY_MS = 25

type Collect = (options: { type: 'major'; execution: 'async'; flavor: 'last-resort' }) => Promise<void>

/**
 * Gives back the memory that work has left behind whenever a rest follows it. With a heap kept small instead, each edit
 * would take a quarter longer; so it grows as it likes while there is something to do.
 */
export function tidyAtRest(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  // No context that is made from here on has it.
  setFlagsFromString('--no-expose-gc')
  let isTidy = false
  let before = process.cpuUsage()
  const look = async () => {
    const { user, system } = process.cpuUsage(before)
    const isBusy = (user + system) / 1000 > BUSY_MS
    if (isBusy) isTidy = false
    else if (!isTidy) {
      isTidy = true
      await collect({ type: 'major', execution: 'async', flavor: 'last-resort' })
    }
    before = process.cpuUsage()
  }
  setInterval(() => void look(), LOOK_MS).unref()
}
