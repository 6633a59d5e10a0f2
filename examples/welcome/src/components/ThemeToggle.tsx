import { useEffect, useState } from 'react'

const KEY = 'solstice-theme'

/** Browsers that block third-party storage throw here when the page stands in a frame of another site. */
function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

function remember(theme: string): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // The choice holds for this visit.
  }
}

function preferred(): boolean {
  const chosen = remembered()
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
}

export function ThemeToggle() {
  const [isDark, setDark] = useState(preferred)
  useEffect(() => {
    document.documentElement.classList.toggle('dark', isDark)
  }, [isDark])

  function toggle() {
    remember(isDark ? 'light' : 'dark')
    setDark(!isDark)
  }

  return (
    <button
      type="button"
      onClick={toggle}
      aria-label={isDark ? 'Use the light theme' : 'Use the dark theme'}
      className="grid size-10 place-items-center rounded-full transition hover:bg-current/10"
    >
      <svg viewBox="0 0 24 24" className="size-5" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        {isDark ? (
          <>
            <circle cx="12" cy="12" r="4" />
            <path d="M12 3v1.500M12 19.500V21M3 12h1.500M19.5 12H21M5.6 5.600l1 1M17.4 17.400l1 1M5.6 18.400l1-1M17.4 6.600l1-1" />
          </>
        ) : (
          <path d="M20 14.500A8.2 8.2 0 0 1 9.5 4a8.2 8.2 0 1 0 10.5 10.500Z" />
        )}
      </svg>
    </button>
  )
}
