import { setTimeout as pause } from 'node:timers/promises'

const LOOK_EVERY_MS = 50
/** On a machine that has no rest it is not filled; what is measured then are misses, and said to be. */
const LONGEST_MS = 30_000

/** Uses of the pool since the server was started. */
export async function poolUses(url: string): Promise<{ hits: number; misses: number }> {
  const text = await metrics(url)
  return {
    hits: seriesValue(text, 'previewd_pool_uses_total{result="hit"}'),
    misses: seriesValue(text, 'previewd_pool_uses_total{result="miss"}'),
  }
}

/** Resolves when every worker waits that the pool wants to have. */
export async function poolFilled(url: string): Promise<void> {
  const deadline = performance.now() + LONGEST_MS
  while (performance.now() < deadline) {
    if (seriesValue(await metrics(url), 'previewd_pool_workers{state="due"}') === 0) return
    await pause(LOOK_EVERY_MS)
  }
}

async function metrics(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text()
}

function seriesValue(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1) ?? Number.NaN)
}
