interface MemoryReadings {
  /** What everything that was started holds, in bytes. */
  usedBytes: () => Promise<number>
  /** What the machine could still give. */
  availableBytes?: () => number
  onError: (error: unknown, what: string) => void
}

const LOOK_MS = 1_000

/**
 * How much memory is left for what previewd starts: of its own part of the machine, and of what the machine has
 * whoever else uses it. Everything that gives way for memory asks here.
 */
export class MemoryBudget {
  readonly #totalBytes: number
  readonly #readings: MemoryReadings
  readonly #timer: NodeJS.Timeout
  #usedBytes = 0

  constructor(totalBytes: number, readings: MemoryReadings) {
    this.#totalBytes = totalBytes
    this.#readings = readings
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  /** As of the last look; below 0 where too much is used already. */
  leftBytes(): number {
    const { availableBytes = () => process.availableMemory() } = this.#readings
    return Math.min(this.#totalBytes - this.#usedBytes, availableBytes())
  }

  /** Called every second. Never rejects: the next look tries again. */
  async look(): Promise<void> {
    try {
      this.#usedBytes = await this.#readings.usedBytes()
    } catch (error) {
      this.#readings.onError(error, 'What is used of the memory could not be read.')
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
