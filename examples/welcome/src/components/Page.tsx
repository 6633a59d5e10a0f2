import type { ReactNode } from 'react'

/** The head of a page that is not the first one, and what stands below it. */
export function Page({ kicker, title, lead, children }: { kicker: string; title: string; lead: string; children: ReactNode }) {
  return (
    <div className="relative overflow-hidden">
      <div className="absolute -top-64 left-1/2 h-[36rem] w-[70rem] -translate-x-1/2 rounded-full bg-linear-to-r from-amber-200/70 via-rose-200/70 to-violet-200/70 blur-3xl dark:from-amber-500/15 dark:via-rose-500/15 dark:to-violet-600/20" aria-hidden="true" />
      <div className="relative mx-auto max-w-6xl px-6 pt-36 pb-24">
        <div className="animate-rise">
          <p className="text-sm font-semibold tracking-widest text-dawn uppercase">{kicker}</p>
          <h1 className="mt-3 max-w-3xl text-5xl leading-[1.05] font-semibold sm:text-6xl">{title}</h1>
          <p className="mt-6 max-w-2xl text-lg text-ink/70 dark:text-stone-300">{lead}</p>
        </div>
        <div className="mt-14">{children}</div>
      </div>
    </div>
  )
}
