const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g
const START_MS = Date.parse('2026-01-02T12:00:00.000Z')

/**
 * The same exchanges with the address, ids, times and secrets of no machine in particular; what was equal or later than
 * something else still is.
 */
export function withoutChance<T>(exchanges: T[], url: string, folder: string): T[] {
  const text = JSON.stringify(exchanges)
  const times = [...text.matchAll(TIME)].map(([time]) => Date.parse(time))
  const shiftMs = START_MS - Math.min(...times, Date.now())
  const calm = text
    .replaceAll(folder, '/srv/apps')
    .replaceAll(url, 'http://127.0.0.1:4400')
    .replaceAll(`localhost:${new URL(url).port}`, 'localhost:4400')
    .replaceAll(TIME, (time) => new Date(Date.parse(time) + shiftMs).toISOString())
    // Events are numbered by the time in microseconds.
    .replaceAll(/(?<="id":|\\nid: )\d{16}/g, (id) => String(Number(id) + shiftMs * 1000))
  return JSON.parse(withNamedIds(withNamedSecrets(calm))) as T[]
}

function withNamedIds(text: string): string {
  const builds = text.matchAll(/"(?:id|buildId|build_id)":"([a-z0-9]{12})"/g)
  const ids = [...new Set([...builds].map(([, id]) => id as string))]
  return ids.reduce((so, id, at) => so.replaceAll(id, `build${String(at + 1).padStart(7, '0')}`), text)
}

function withNamedSecrets(text: string): string {
  const secrets = text.matchAll(/"(?:token|key)":"([^"]{16,})"/g)
  return [...secrets].reduce((so, [, secret = '']) => so.replaceAll(secret, 'a-secret-shown-once'), text)
}
