import { Transform } from 'node:stream'

/**
 * Passes a body on and fails where no bytes come for `stallMs` although there is room for them. A slow reader is no
 * stall: what it has not taken stands here.
 */
export function stallGuard(stallMs: number): Transform {
  const guard = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh()
      done(null, chunk)
    },
  })
  const timer = setTimeout(() => {
    if (guard.readableLength > 0) timer.refresh()
    else guard.destroy(new Error(`the registry sent nothing for ${stallMs} ms`))
  }, stallMs)
  guard.once('close', () => clearTimeout(timer))
  return guard
}
