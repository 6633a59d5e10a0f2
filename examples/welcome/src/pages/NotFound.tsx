import { Link, useLocation } from 'react-router'

export function NotFound() {
  const { pathname } = useLocation()
  return (
    <section className="mx-auto flex min-h-[80dvh] max-w-2xl flex-col items-center justify-center px-6 pt-24 text-center">
      <svg viewBox="0 0 120 70" className="w-40" fill="none" aria-hidden="true">
        <path d="M25 58a35 35 0 0 1 70 0Z" fill="#f97362" opacity="0.25" />
        <path d="M6 60h108M24 67h72" stroke="currentColor" strokeWidth="3" strokeLinecap="round" />
      </svg>
      <h1 className="mt-8 text-5xl font-semibold">The sun has set here.</h1>
      <p className="mt-4 text-lg break-all text-ink/65 dark:text-stone-400">There is no page at {pathname}.</p>
      <Link to="/" className="mt-8 rounded-full bg-ink px-7 py-3.5 font-semibold text-white transition hover:-translate-y-0.5 dark:bg-white dark:text-ink">
        Back to daylight
      </Link>
    </section>
  )
}
