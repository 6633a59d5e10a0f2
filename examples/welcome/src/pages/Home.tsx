import { useState } from 'react'
import { Link } from 'react-router'
import { Lamp } from '../components/Lamp.tsx'
import { Sky } from '../components/Sky.tsx'
import { daylightAt } from '../daylight/daylight.ts'

const FACTS = [
  { figure: '1,900–5,600 K', words: 'from ember to noon, without a step between' },
  { figure: '97 CRI', words: 'so that a lemon looks like a lemon' },
  { figure: '0 apps', words: 'it knows where the sun is; you need not tell it' },
]

export function Home() {
  const [hour, setHour] = useState(18.5)
  const day = daylightAt(hour)

  return (
    <>
      <section className="relative flex min-h-dvh items-center overflow-hidden text-white">
        <Sky hour={hour} sky={day.sky} brightness={day.brightness} />
        <div className="absolute inset-0 bg-linear-to-r from-ink/45 via-ink/10 to-transparent" />
        <div className="relative mx-auto grid w-full max-w-6xl items-center gap-4 px-6 pt-28 pb-14 md:grid-cols-[1.15fr_1fr]">
          <div className="animate-rise">
            <p className="mb-5 inline-flex items-center gap-2 rounded-full bg-white/15 px-4 py-1.5 text-sm font-medium backdrop-blur-md">
              <span className="size-2 rounded-full bg-amber-300" />
              New: Solstice Two
            </p>
            <h1 className="text-5xl leading-[1.02] font-semibold sm:text-6xl lg:text-7xl">
              The lamp that
              <br />
              follows the sun.
            </h1>
            <p className="mt-6 max-w-md text-lg text-white/85">
              Daylight when you work, candlelight when you rest. Solstice shifts with the sky outside, so that your
              evenings feel like evenings again.
            </p>
            <div className="mt-8 flex flex-wrap gap-3">
              <Link to="/pricing" className="rounded-full bg-white px-7 py-3.5 font-semibold text-ink shadow-lg shadow-black/20 transition hover:-translate-y-0.5">
                Order yours
              </Link>
              <Link to="/features" className="rounded-full px-7 py-3.5 font-semibold ring-1 ring-white/50 backdrop-blur-sm transition hover:bg-white/10">
                How it works
              </Link>
            </div>
            <div className="mt-12 max-w-md rounded-3xl bg-ink/35 p-5 ring-1 ring-white/15 backdrop-blur-xl">
              <div className="mb-4 flex items-baseline justify-between">
                <output className="font-display text-3xl font-semibold tabular-nums">{day.clock}</output>
                <span className="text-sm font-medium text-white/80 tabular-nums">{day.kelvin.toLocaleString('en')} K</span>
              </div>
              <input
                type="range"
                min="0"
                max="24"
                step="0.25"
                value={hour}
                onChange={(event) => setHour(Number(event.target.value))}
                aria-label="Time of day"
                className="daylight"
              />
              <p className="mt-4 text-sm text-white/80">{day.words}</p>
            </div>
          </div>
          <div className="mx-auto h-80 w-full max-w-xs sm:h-96 md:h-[34rem] md:max-w-none">
            <Lamp glow={day.glow} brightness={day.brightness} />
          </div>
        </div>
      </section>
      <section className="mx-auto grid max-w-6xl gap-10 px-6 py-20 sm:grid-cols-3">
        {FACTS.map(({ figure, words }) => (
          <div key={figure} className="border-l-2 border-dawn pl-6">
            <p className="font-display text-3xl font-semibold">{figure}</p>
            <p className="mt-2 text-ink/65 dark:text-stone-400">{words}</p>
          </div>
        ))}
      </section>
    </>
  )
}
