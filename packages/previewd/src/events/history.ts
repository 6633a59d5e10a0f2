import type { ProjectEvent } from '../model/event.ts'

export interface HistoryLimits {
  /** Events kept of one project. */
  projectEvents: number
  /** Bytes of JSON kept of one project. */
  projectBytes: number
  /** Bytes of JSON kept of all projects together. */
  totalBytes: number
}

interface Kept {
  event: ProjectEvent
  bytes: number
}

interface Ring {
  kept: Kept[]
  bytes: number
}

/**
 * The newest events of each project, for readers that come back. Bounded per project and in all: where the total is
 * passed, the project that was quiet for longest is forgotten first.
 */
export class History {
  readonly #limits: HistoryLimits
  /** In the order of the newest event: the first is the one that was quiet for longest. */
  readonly #rings = new Map<string, Ring>()
  #totalBytes = 0

  constructor(limits: HistoryLimits) {
    this.#limits = limits
  }

  add(event: ProjectEvent): void {
    const bytes = JSON.stringify(event.data ?? null).length + event.project.length + 64
    if (bytes > this.#limits.projectBytes) return
    const ring = this.#rings.get(event.project) ?? { kept: [], bytes: 0 }
    this.#rings.delete(event.project)
    this.#rings.set(event.project, ring)
    ring.kept.push({ event, bytes })
    ring.bytes += bytes
    this.#totalBytes += bytes
    while (ring.kept.length > this.#limits.projectEvents || ring.bytes > this.#limits.projectBytes) {
      const dropped = ring.kept.shift()?.bytes ?? 0
      ring.bytes -= dropped
      this.#totalBytes -= dropped
    }
    this.#forgetQuiet(event.project)
  }

  /** Events newer than `after`, oldest first; of all projects where none is named. */
  since(after: number, project?: string): ProjectEvent[] {
    const newer = (ring: Ring | undefined) =>
      (ring?.kept ?? []).map((kept) => kept.event).filter((event) => event.id > after)
    if (project !== undefined) return newer(this.#rings.get(project))
    return [...this.#rings.values()].flatMap(newer).sort((a, b) => a.id - b.id)
  }

  forget(project: string): void {
    this.#totalBytes -= this.#rings.get(project)?.bytes ?? 0
    this.#rings.delete(project)
  }

  #forgetQuiet(newest: string): void {
    for (const project of this.#rings.keys()) {
      if (this.#totalBytes <= this.#limits.totalBytes || project === newest) return
      this.forget(project)
    }
  }
}
