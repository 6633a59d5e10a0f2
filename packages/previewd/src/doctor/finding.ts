/** One thing that was looked at on this machine. */
export interface Finding {
  name: string
  /** False where previewd does not work (or not as it is configured) until it is mended. */
  ok: boolean
  level: 'good' | 'warning' | 'error'
  /** A sentence: what was found and, where it is not well, what to do. */
  detail: string
}

export const good = (name: string, detail: string): Finding => ({ name, ok: true, level: 'good', detail })
export const warning = (name: string, detail: string): Finding => ({
  name,
  ok: true,
  level: 'warning',
  detail,
})
export const bad = (name: string, detail: string): Finding => ({ name, ok: false, level: 'error', detail })
