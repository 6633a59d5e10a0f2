import { Transform } from 'node:stream'
import { injectShim } from '../path-mode/inject-shim.ts'

/** A page whose head has not begun by then gets the tag where it would begin. */
const MAX_HELD_BYTES = 64 * 1024
/** Elements that stand before the head or are it; any other begins the page's content. */
const BEGINS_CONTENT = /<head(?:\s[^>]*)?>|<(?!html[\s>]|head[\s>])[a-z][^>]*>/i

/**
 * Puts a tag into a page that streams by, first in its head. Bytes are taken for Latin-1 and written back as such, so
 * that whatever superset of ASCII the page is in stays what it is.
 */
export function clientInjection(tag: string): Transform {
  let held: string | undefined = ''
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (held === undefined) return done(null, chunk)
      held += chunk.toString('latin1')
      if (held.length < MAX_HELD_BYTES && !isDecided(held)) return done()
      const page = Buffer.from(injectShim(held, tag), 'latin1')
      held = undefined
      done(null, page)
    },
    flush(done) {
      done(null, held === undefined ? undefined : Buffer.from(injectShim(held, tag), 'latin1'))
    },
  })
}

/** Half a tag, or a comment that is open, may still become anything. */
function isDecided(html: string): boolean {
  const whole = html.slice(0, html.lastIndexOf('>') + 1).replace(/<!--[\s\S]*?-->/g, '')
  const comment = whole.indexOf('<!--')
  return BEGINS_CONTENT.test(comment === -1 ? whole : whole.slice(0, comment))
}
