import { paint, type Terminal } from './terminal.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100

const nothing = (): void => undefined

/** What a command is at. On a terminal one line that changes; elsewhere a line for each new phase. */
export interface Progress {
  /** `detail` changes often and is shown on terminals only. */
  phase(name: string, detail?: string): void
  /** Takes the changing line away. */
  stop(): void
}

export const silentProgress: Progress = { phase: nothing, stop: nothing }

/** Progress on stderr; call `stop` in a finally. */
export function showProgress({ err }: Terminal): Progress {
  return err.isTTY ? liveLine(err) : phaseLines(err)
}

function phaseLines(err: Terminal['err']): Progress {
  let shown = ''
  return {
    phase(name) {
      if (name === shown) return
      shown = name
      err.write(`${name}\n`)
    },
    stop: nothing,
  }
}

function liveLine(err: Terminal['err']): Progress {
  let text = ''
  let turn = 0
  const draw = () => {
    if (text) err.write(`\r\x1b[K${paint(err, 'cyan', FRAMES[turn++ % FRAMES.length] ?? '')} ${text}`)
  }
  const timer = setInterval(draw, FRAME_MS)
  return {
    phase(name, detail) {
      text = detail ? `${name} ${paint(err, 'dim', detail)}` : name
      draw()
    },
    stop() {
      clearInterval(timer)
      err.write('\r\x1b[K')
    },
  }
}
