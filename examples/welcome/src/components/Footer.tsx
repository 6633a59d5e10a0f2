import { Link } from 'react-router'
import { Logo } from './Logo.tsx'

export function Footer() {
  return (
    <footer className="border-t border-ink/10 dark:border-white/10">
      <div className="mx-auto flex max-w-6xl flex-col gap-6 px-6 py-10 text-sm text-ink/60 sm:flex-row sm:items-center sm:justify-between dark:text-stone-400">
        <div className="flex items-center gap-2.5">
          <Logo className="size-6 text-ink dark:text-stone-100" />
          <span>An imaginary lamp, made to show a real preview.</span>
        </div>
        <nav className="flex gap-6">
          <Link to="/features" className="hover:text-dawn">Features</Link>
          <Link to="/story" className="hover:text-dawn">Story</Link>
          <Link to="/pricing" className="hover:text-dawn">Pricing</Link>
        </nav>
      </div>
    </footer>
  )
}
