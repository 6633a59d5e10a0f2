export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} fill="none" aria-hidden="true">
      <defs>
        <linearGradient id="logo" x1="0" y1="0" x2="0" y2="1">
          <stop stopColor="#fbbf24" />
          <stop offset="1" stopColor="#f43f5e" />
        </linearGradient>
      </defs>
      <path d="M7 20a9 9 0 0 1 18 0Z" fill="url(#logo)" />
      <path d="M3 24.500h26M9 29h14" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" />
    </svg>
  )
}
