import type { CSSProperties } from 'react'

const STARS = Array.from({ length: 46 }, (_, at) => ({
  left: `${(at * 61.8) % 100}%`,
  top: `${(at * 37.3) % 62}%`,
  size: 1 + ((at * 7) % 3) * 0.7,
}))

/** The sky of an hour: its colours, the sun on its way, stars by night, and hills in front. */
export function Sky({ hour, sky, brightness }: { hour: number; sky: string; brightness: number }) {
  const turn = ((hour - 6) / 12.5) * Math.PI
  const sun: CSSProperties = {
    left: `${50 - Math.cos(turn) * 46}%`,
    top: `${74 - Math.sin(turn) * 62}%`,
  }
  return (
    <div className="absolute inset-0 overflow-hidden" style={{ background: sky }} aria-hidden="true">
      <div className="absolute inset-0 transition-opacity duration-500" style={{ opacity: Math.max(0, 0.9 - brightness * 3) }}>
        {STARS.map(({ left, top, size }) => (
          <span key={left} className="absolute rounded-full bg-white" style={{ left, top, width: size, height: size }} />
        ))}
      </div>
      <div className="absolute size-16 -translate-1/2 rounded-full bg-amber-100 md:size-28 shadow-[0_0_120px_50px_rgb(255_226_160/0.55)]" style={sun} />
      <svg viewBox="0 0 1440 260" preserveAspectRatio="none" className="absolute inset-x-0 bottom-0 h-1/3 w-full text-ink">
        <path d="M0 150 C 240 60 420 190 700 120 S 1180 40 1440 130 V260 H0Z" fill="currentColor" opacity="0.22" />
        <path d="M0 200 C 300 120 520 230 820 170 S 1260 150 1440 200 V260 H0Z" fill="currentColor" opacity="0.38" />
      </svg>
    </div>
  )
}
