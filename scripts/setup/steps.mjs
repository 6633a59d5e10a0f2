const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** `0.4 s`, `12 s`, `3 min 20 s`. */
export function elapsed(sinceMs) {
  const seconds = (Date.now() - sinceMs) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 90) return `${Math.round(seconds)} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/**
 * Runs one step of the work and prints one line for it when it ends, with the time it took. On a terminal a line
 * with a spinner and the time so far shows meanwhile. Work may return a few words that are added to the line.
 */
export async function step(label, work) {
  const since = Date.now()
  const spinner = process.stderr.isTTY ? spin(label, since) : undefined
  try {
    const note = await work()
    stop(spinner)
    console.error(`✓ ${label}${typeof note === 'string' ? `: ${note}` : ''} (${elapsed(since)})`)
    return note
  } catch (error) {
    stop(spinner)
    console.error(`✗ ${label} (${elapsed(since)})`)
    throw error
  }
}

function spin(label, since) {
  let turn = 0
  return setInterval(() => {
    process.stderr.write(`\r\x1b[K${FRAMES[turn++ % FRAMES.length]} ${label} ${elapsed(since)}`)
  }, 100)
}

function stop(spinner) {
  if (!spinner) return
  clearInterval(spinner)
  process.stderr.write('\r\x1b[K')
}
