interface LampProps {
  glow: string
  /** 0 to 1. */
  brightness: number
}

/** The lamp: a shade like a half sun on an arm, and the light that it throws. */
export function Lamp({ glow, brightness }: LampProps) {
  const light = 0.55 + 0.45 * (1 - brightness)
  return (
    <svg viewBox="0 0 420 520" className="h-full w-full overflow-visible" role="img" aria-label="The Solstice lamp, lit">
      <defs>
        <radialGradient id="halo">
          <stop stopColor={glow} stopOpacity={0.95 * light} />
          <stop offset="0.35" stopColor={glow} stopOpacity={0.35 * light} />
          <stop offset="1" stopColor={glow} stopOpacity="0" />
        </radialGradient>
        <linearGradient id="beam" x1="0" y1="0" x2="0" y2="1">
          <stop stopColor={glow} stopOpacity={0.75 * light} />
          <stop offset="1" stopColor={glow} stopOpacity="0" />
        </linearGradient>
        <linearGradient id="shade" x1="0" y1="0" x2="1" y2="1">
          <stop stopColor="#fff7ed" />
          <stop offset="0.5" stopColor="#f4d9bf" />
          <stop offset="1" stopColor="#c9866b" />
        </linearGradient>
        <linearGradient id="metal" x1="0" y1="0" x2="1" y2="0">
          <stop stopColor="#2b2140" />
          <stop offset="0.5" stopColor="#5d4c7c" />
          <stop offset="1" stopColor="#221a34" />
        </linearGradient>
      </defs>
      <circle cx="170" cy="196" r="250" fill="url(#halo)" />
      <path d="M72 196 L-30 486 H370 L268 196 Z" fill="url(#beam)" opacity="0.7" />
      <path d="M170 92 C 250 20, 344 70, 338 200 S 322 400, 318 470" fill="none" stroke="url(#metal)" strokeWidth="9" strokeLinecap="round" />
      <ellipse cx="306" cy="484" rx="84" ry="14" fill="#1a1329" />
      <ellipse cx="306" cy="476" rx="84" ry="14" fill="url(#metal)" />
      <circle cx="170" cy="92" r="9" fill="#3a2d55" />
      <path d="M64 196 a106 106 0 0 1 212 0 Z" fill="url(#shade)" />
      <path d="M84 190 a88 88 0 0 1 58 -78" fill="none" stroke="#fff" strokeOpacity="0.7" strokeWidth="6" strokeLinecap="round" />
      <ellipse cx="170" cy="196" rx="106" ry="15" fill={glow} />
      <ellipse cx="170" cy="197" rx="70" ry="8" fill="#fff" opacity="0.85" />
    </svg>
  )
}
