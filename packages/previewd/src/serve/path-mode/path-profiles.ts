import { Representations } from '../representation.ts'
import { framePolicy } from '../site-profiles.ts'

/** What a page below a path of a shared origin may do: much, but nothing in the name of that origin. */
const SANDBOX =
  'sandbox allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads allow-pointer-lock allow-presentation'

export type PathProfileName = 'in-place' | 'sandboxed' | 'same-origin'

/** How files below `/preview/{id}/` are sent, for each way of serving them there. */
export class PathProfiles {
  readonly #all: Record<`${PathProfileName} ${'public' | 'private'}`, Representations>

  constructor(frameAncestors: readonly string[]) {
    const make = (name: PathProfileName, isPrivate: boolean): Representations =>
      new Representations({
        isPrivate,
        immutableUrl: false,
        // The same address is a redirect for navigations in one mode, and a page or nothing in all of them.
        vary: ['Sec-Fetch-Mode', ...(isPrivate ? ['Cookie'] : [])],
        always: [...COMMON, ...pathHeaders(name, isPrivate, frameAncestors)],
        pages: name === 'same-origin' ? framePolicy(frameAncestors) : [],
      })
    this.#all = {
      'in-place public': make('in-place', false),
      'in-place private': make('in-place', true),
      'sandboxed public': make('sandboxed', false),
      'sandboxed private': make('sandboxed', true),
      'same-origin public': make('same-origin', false),
      'same-origin private': make('same-origin', true),
    }
  }

  of(name: PathProfileName, isPrivate: boolean): Representations {
    return this.#all[`${name} ${isPrivate ? 'private' : 'public'}`]
  }
}

const COMMON = ['X-Content-Type-Options', 'nosniff', 'X-Robots-Tag', 'noindex']

function pathHeaders(name: PathProfileName, isPrivate: boolean, frameAncestors: readonly string[]): string[] {
  const referrer = ['Referrer-Policy', isPrivate ? 'no-referrer' : 'strict-origin-when-cross-origin']
  if (name === 'same-origin') return ['Cross-Origin-Resource-Policy', 'same-origin', ...referrer]
  // Every file, not pages alone: an SVG or XML document runs scripts, too, when it is opened by itself.
  if (name === 'in-place') return [...framePolicy(frameAncestors, ['sandbox']), ...referrer]
  // The page's origin is opaque, so that its own scripts and fonts come to it as to a stranger.
  return [
    ...framePolicy(frameAncestors, [SANDBOX]),
    'Access-Control-Allow-Origin',
    '*',
    'Cross-Origin-Resource-Policy',
    'cross-origin',
    ...referrer,
  ]
}
