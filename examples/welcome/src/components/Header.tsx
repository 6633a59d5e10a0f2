import { useState } from 'react'
import { Link, NavLink, useLocation } from 'react-router'
import { Logo } from './Logo.tsx'
import { ThemeToggle } from './ThemeToggle.tsx'

const LINKS = [
  { to: '/features', label: 'Features' },
  { to: '/story', label: 'Story' },
  { to: '/pricing', label: 'Pricing' },
]

export function Header() {
  const { pathname } = useLocation()
  const [openAt, setOpenAt] = useState<string>()
  const isOpen = openAt === pathname
  const overSky = pathname === '/'
  const tone = overSky ? 'text-white' : 'text-ink dark:text-stone-100'

  return (
    <header className={`absolute inset-x-0 top-0 z-20 ${tone}`}>
      <div className="mx-auto flex max-w-6xl items-center justify-between px-6 py-6">
        <Link to="/" className="flex items-center gap-2.5 font-display text-xl font-semibold">
          <Logo className="size-7" />
          Solstice
        </Link>
        <nav className="hidden items-center gap-9 text-sm font-medium md:flex">
          {LINKS.map(({ to, label }) => (
            <NavLink
              key={to}
              to={to}
              className={({ isActive }) =>
                `underline-offset-8 decoration-2 transition hover:opacity-100 ${isActive ? 'underline decoration-dawn' : 'opacity-75'}`
              }
            >
              {label}
            </NavLink>
          ))}
        </nav>
        <div className="flex items-center gap-2">
          <ThemeToggle />
          <Link
            to="/pricing"
            className="hidden rounded-full bg-white px-5 py-2.5 text-sm font-semibold text-ink shadow-sm ring-1 ring-black/5 transition hover:-translate-y-px hover:shadow-md sm:block"
          >
            Order now
          </Link>
          <button
            type="button"
            aria-label="Menu"
            aria-expanded={isOpen}
            onClick={() => setOpenAt(isOpen ? undefined : pathname)}
            className="grid size-10 place-items-center rounded-full transition hover:bg-current/10 md:hidden"
          >
            <svg viewBox="0 0 24 24" className="size-6" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" aria-hidden="true">
              <path d={isOpen ? 'M6 6l12 12M18 6L6 18' : 'M4 8h16M4 16h16'} />
            </svg>
          </button>
        </div>
      </div>
      {isOpen && (
        <nav className="mx-4 animate-rise rounded-3xl bg-white p-3 text-ink shadow-2xl ring-1 ring-black/5 md:hidden dark:bg-stone-900 dark:text-stone-100">
          {LINKS.map(({ to, label }) => (
            <Link key={to} to={to} className="block rounded-2xl px-5 py-3.5 text-lg font-medium hover:bg-stone-100 dark:hover:bg-white/5">
              {label}
            </Link>
          ))}
        </nav>
      )}
    </header>
  )
}
