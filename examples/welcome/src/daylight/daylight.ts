type Rgb = readonly [number, number, number]

interface Moment {
  hour: number
  top: Rgb
  middle: Rgb
  low: Rgb
  kelvin: number
  words: string
}

/** The sky at some hours of a day near the equinox; what lies between is mixed. */
const MOMENTS: readonly Moment[] = [
  { hour: 0, top: [11, 10, 32], middle: [27, 22, 60], low: [48, 38, 88], kelvin: 1900, words: 'Deep night. Barely there.' },
  { hour: 5, top: [24, 22, 66], middle: [82, 52, 116], low: [196, 98, 118], kelvin: 2000, words: 'Before dawn. A first ember.' },
  { hour: 7, top: [92, 104, 190], middle: [244, 158, 140], low: [255, 206, 138], kelvin: 2700, words: 'Sunrise. Gentle, and warm.' },
  { hour: 12, top: [46, 122, 214], middle: [112, 182, 240], low: [206, 234, 252], kelvin: 5600, words: 'Midday. Clear as a window.' },
  { hour: 16, top: [66, 128, 208], middle: [148, 190, 230], low: [252, 226, 184], kelvin: 4400, words: 'Afternoon. Long and bright.' },
  { hour: 18.5, top: [84, 62, 142], middle: [236, 106, 104], low: [255, 186, 102], kelvin: 2600, words: 'Golden hour. Put the phone away.' },
  { hour: 21, top: [22, 18, 58], middle: [62, 40, 100], low: [142, 70, 110], kelvin: 2100, words: 'Evening. Candlelight, without the candle.' },
  { hour: 24, top: [11, 10, 32], middle: [27, 22, 60], low: [48, 38, 88], kelvin: 1900, words: 'Deep night. Barely there.' },
]

export interface Daylight {
  sky: string
  /** Colour of the lamp's light. */
  glow: string
  kelvin: number
  /** 0 at night, 1 at noon. */
  brightness: number
  words: string
  clock: string
}

export function daylightAt(hour: number): Daylight {
  const next = Math.max(1, MOMENTS.findIndex((moment) => moment.hour >= hour))
  const [a, b] = [MOMENTS[next - 1], MOMENTS[next]]
  if (!a || !b) throw new RangeError(`not an hour of the day: ${hour}`)
  const share = (hour - a.hour) / (b.hour - a.hour)
  const kelvin = Math.round((a.kelvin + (b.kelvin - a.kelvin) * share) / 50) * 50
  return {
    sky: `linear-gradient(180deg, ${mix(a.top, b.top, share)} 0%, ${mix(a.middle, b.middle, share)} 58%, ${mix(a.low, b.low, share)} 100%)`,
    glow: glowOf(kelvin),
    kelvin,
    brightness: Math.max(0, Math.sin(((hour - 5.5) / 13.5) * Math.PI)),
    words: share < 0.5 ? a.words : b.words,
    clock: `${String(Math.floor(hour) % 24).padStart(2, '0')}:${String(Math.round((hour % 1) * 60) % 60).padStart(2, '0')}`,
  }
}

function mix(a: Rgb, b: Rgb, share: number): string {
  return `rgb(${a.map((value, at) => Math.round(value + ((b[at] ?? value) - value) * share)).join(' ')})`
}

/** Ember at 1900 K, paper white at 5600 K. */
function glowOf(kelvin: number): string {
  return mix([255, 158, 74], [255, 250, 240], (kelvin - 1900) / 3700)
}
