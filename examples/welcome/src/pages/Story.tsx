import { Page } from '../components/Page.tsx'

const YEARS = [
  { year: '2019', text: 'Two sisters share a north-facing room in Tromsø, where the sun stays away for two months.' },
  { year: '2021', text: 'The first lamp: a salad bowl, forty diodes, and an almanac copied out by hand.' },
  { year: '2024', text: 'Solstice One. Nine hundred of them, every one soldered in the same room.' },
  { year: '2026', text: 'Solstice Two: brighter, half the parts, and a dial that clicks just right.' },
]

export default function Story() {
  return (
    <Page
      kicker="Story"
      title="It began with a very long night."
      lead="We make one thing. We have made it for seven years, and we are still not bored of it."
    >
      <ol className="relative max-w-2xl border-l-2 border-ink/10 dark:border-white/15">
        {YEARS.map(({ year, text }) => (
          <li key={year} className="relative pb-12 pl-10 last:pb-0">
            <span className="absolute top-2 -left-[9px] size-4 rounded-full bg-linear-to-br from-amber-300 to-rose-500 ring-4 ring-paper dark:ring-night" />
            <h2 className="text-3xl font-semibold">{year}</h2>
            <p className="mt-2 text-lg text-ink/70 dark:text-stone-300">{text}</p>
          </li>
        ))}
      </ol>
      <blockquote className="mt-20 rounded-[2rem] bg-ink px-8 py-14 text-center text-white sm:px-16">
        <p className="mx-auto max-w-3xl font-display text-3xl leading-snug text-balance sm:text-4xl">
          “I forgot that it is there. Then I slept at a friend’s, and noticed what was missing.”
        </p>
        <footer className="mt-6 text-sm text-white/60">Imaginary customer, Bergen</footer>
      </blockquote>
    </Page>
  )
}
