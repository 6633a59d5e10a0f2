import { useState } from 'react'
import { Page } from '../components/Page.tsx'

const MODELS = [
  { name: 'Bedside', price: 149, text: 'Small, for the hours at both ends of the day.', points: ['450 lumen', 'Sunrise alarm', 'Oak or ash foot'], isFavourite: false },
  { name: 'Desk', price: 229, text: 'The one on this page, with the long arm.', points: ['1,200 lumen', 'Reaches 80 cm', 'Holds any colour at a press', 'Ten-year light engine'], isFavourite: true },
  { name: 'Room', price: 389, text: 'Stands in a corner and lights the ceiling.', points: ['4,000 lumen', 'Two zones', 'Felt-lined foot'], isFavourite: false },
]

export default function Pricing() {
  const [count, setCount] = useState(1)
  const discount = count >= 3 ? 0.85 : count === 2 ? 0.92 : 1

  return (
    <Page kicker="Pricing" title="Buy it once." lead="No subscription. Two lamps take 8% off, three or more take 15% off.">
      <div className="mb-10 inline-flex items-center gap-5 rounded-full bg-white py-2 pr-2 pl-6 shadow-sm ring-1 ring-ink/5 dark:bg-white/5 dark:ring-white/10">
        <span className="text-sm font-medium">How many lamps?</span>
        <div className="flex items-center gap-1">
          <Step label="One less" onClick={() => setCount(Math.max(1, count - 1))} sign="−" />
          <output className="w-8 text-center text-lg font-semibold tabular-nums">{count}</output>
          <Step label="One more" onClick={() => setCount(Math.min(9, count + 1))} sign="+" />
        </div>
      </div>
      <div className="grid items-start gap-6 lg:grid-cols-3">
        {MODELS.map(({ name, price, text, points, isFavourite }) => (
          <article
            key={name}
            className={`rounded-[2rem] p-8 ring-1 transition hover:-translate-y-1 ${isFavourite ? 'bg-ink text-white shadow-2xl shadow-ink/30 ring-ink lg:-mt-4 lg:pb-12 dark:bg-linear-to-b dark:from-violet-900 dark:to-ink dark:ring-white/20' : 'bg-white shadow-sm ring-ink/5 dark:bg-white/5 dark:ring-white/10'}`}
          >
            <div className="flex items-center justify-between">
              <h2 className="text-2xl font-semibold">{name}</h2>
              {isFavourite && <span className="rounded-full bg-amber-300 px-3 py-1 text-xs font-semibold text-ink">Favourite</span>}
            </div>
            <p className="mt-2 opacity-70">{text}</p>
            <p className="mt-6 flex items-baseline gap-2">
              <span className="font-display text-5xl font-semibold tabular-nums">€{Math.round(price * count * discount)}</span>
              {discount < 1 && <s className="opacity-50 tabular-nums">€{price * count}</s>}
            </p>
            <ul className="mt-8 space-y-3">
              {points.map((point) => (
                <li key={point} className="flex items-center gap-3">
                  <svg viewBox="0 0 20 20" className="size-5 shrink-0 text-dawn" fill="none" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
                    <path d="m4 10.5 4 4 8-9" />
                  </svg>
                  {point}
                </li>
              ))}
            </ul>
            <button
              type="button"
              className={`mt-10 w-full cursor-pointer rounded-full px-6 py-3.5 font-semibold transition ${isFavourite ? 'bg-white text-ink hover:bg-amber-100' : 'bg-ink text-white hover:bg-ink/85 dark:bg-white dark:text-ink'}`}
            >
              Order {count === 1 ? 'one' : count}
            </button>
          </article>
        ))}
      </div>
    </Page>
  )
}

function Step({ label, sign, onClick }: { label: string; sign: string; onClick: () => void }) {
  return (
    <button type="button" aria-label={label} onClick={onClick} className="grid size-10 cursor-pointer place-items-center rounded-full text-xl transition hover:bg-ink/5 dark:hover:bg-white/10">
      {sign}
    </button>
  )
}
