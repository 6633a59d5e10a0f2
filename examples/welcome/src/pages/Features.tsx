import { Page } from '../components/Page.tsx'
import { daylightAt } from '../daylight/daylight.ts'

const HOURS = [0, 5, 7, 9.5, 12, 16, 18.5, 21]

const FEATURES = [
  { title: 'It knows the sky', text: 'A sensor on the back reads the light of the room, and an almanac for every place on Earth does the rest.', icon: 'M12 3v2M12 19v2M4.2 4.200l1.4 1.400M18.4 18.400l1.4 1.400M3 12h2M19 12h2M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z' },
  { title: 'No app, no account', text: 'There is a dial. Turn it for brighter, press it to hold the colour you like. That is the manual.', icon: 'M12 3a9 9 0 1 0 9 9M12 12V6' },
  { title: 'Dims like a fire', text: 'Down to a tenth of a percent without a flicker, since it is driven by current and never by pulses.', icon: 'M12 3c2 4 6 6 6 11a6 6 0 0 1-12 0c0-3 2-4 2-7 2 1 3 2 4 4 1-2 1-5 0-8Z' },
  { title: 'Made to be mended', text: 'Six screws, standard parts, and a drawing of every one of them. The light engine is guaranteed for ten years.', icon: 'M14.5 6.500a4 4 0 0 0-5 5L4 17l3 3 5.5-5.500a4 4 0 0 0 5-5L15 12l-3-3 2.5-2.500Z' },
]

export default function Features() {
  return (
    <Page
      kicker="Features"
      title="A day of light, in one quiet object."
      lead="Bright and cool at noon, amber by evening, a mere ember at night: the way light was for everyone before bulbs."
    >
      <div className="flex h-44 overflow-hidden rounded-[2rem] shadow-2xl shadow-ink/15 sm:h-56">
        {HOURS.map((hour) => {
          const { sky, clock, kelvin } = daylightAt(hour)
          return (
            <div key={hour} style={{ background: sky }} className="group flex flex-1 flex-col justify-end p-3 max-sm:even:hidden text-white transition-[flex] duration-500 ease-out hover:flex-[2.5] sm:p-4">
              <span className="text-sm font-semibold text-shadow-sm sm:text-base">{clock}</span>
              <span className="hidden text-xs text-white/85 opacity-0 transition group-hover:opacity-100 sm:block">{kelvin.toLocaleString('en')} K</span>
            </div>
          )
        })}
      </div>
      <div className="mt-16 grid gap-6 sm:grid-cols-2">
        {FEATURES.map(({ title, text, icon }) => (
          <article key={title} className="rounded-3xl bg-white p-8 shadow-sm ring-1 ring-ink/5 transition hover:-translate-y-1 hover:shadow-xl dark:bg-white/5 dark:ring-white/10">
            <span className="grid size-12 place-items-center rounded-2xl bg-linear-to-br from-amber-300 to-rose-400 text-ink">
              <svg viewBox="0 0 24 24" className="size-6" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
                <path d={icon} />
              </svg>
            </span>
            <h2 className="mt-6 text-2xl font-semibold">{title}</h2>
            <p className="mt-3 leading-relaxed text-ink/70 dark:text-stone-300">{text}</p>
          </article>
        ))}
      </div>
    </Page>
  )
}
