import { Representations } from './representation.ts'

/** How previews at an origin of their own are sent: by visibility, and by whether the address is one build's. */
export class SiteProfiles {
  readonly #all = new Map<string, Representations>()
  readonly #frameAncestors: readonly string[]

  constructor(frameAncestors: readonly string[]) {
    this.#frameAncestors = frameAncestors
  }

  of(isPrivate: boolean, immutableUrl: boolean): Representations {
    const key = `${isPrivate} ${immutableUrl}`
    const known = this.#all.get(key)
    if (known !== undefined) return known
    const made = new Representations({
      isPrivate,
      immutableUrl,
      vary: isPrivate ? ['Cookie'] : [],
      always: [
        'X-Content-Type-Options',
        'nosniff',
        'X-Robots-Tag',
        'noindex',
        'Cross-Origin-Resource-Policy',
        isPrivate ? 'same-origin' : 'cross-origin',
        'Referrer-Policy',
        isPrivate ? 'no-referrer' : 'strict-origin-when-cross-origin',
      ],
      pages: ['Origin-Agent-Cluster', '?1', ...framePolicy(this.#frameAncestors)],
    })
    this.#all.set(key, made)
    return made
  }
}

/** The header that says who may frame a page, none where anyone may; `others` are further directives. */
export function framePolicy(frameAncestors: readonly string[], others: readonly string[] = []): string[] {
  const frames = frameAncestors.length === 0 ? [] : [`frame-ancestors ${frameAncestors.join(' ')}`]
  const directives = [...others, ...frames]
  return directives.length === 0 ? [] : ['Content-Security-Policy', directives.join('; ')]
}
