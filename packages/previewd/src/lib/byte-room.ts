/** Room for so many bytes in memory, of which whoever needs some takes a part for a time. */
export class ByteRoom {
  #leftBytes: number

  constructor(bytes: number) {
    this.#leftBytes = bytes
  }

  /** Undefined where so much is not left. The part is given back when it is disposed of. */
  take(bytes: number): RoomPart | undefined {
    if (bytes > this.#leftBytes) return undefined
    let taken = bytes
    this.#leftBytes -= bytes
    const shrinkTo = (now: number): void => {
      const less = Math.max(0, taken - now)
      taken -= less
      this.#leftBytes += less
    }
    return { shrinkTo, [Symbol.dispose]: () => shrinkTo(0) }
  }
}

export interface RoomPart extends Disposable {
  /** Gives back what is over this; never takes more. */
  shrinkTo(bytes: number): void
}
