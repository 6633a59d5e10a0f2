export type EgressPolicy = 'none' | 'allowlist' | 'public'

/** A way out of one worker's sandbox: an HTTP proxy on a unix socket of its own. */
export interface EgressGate {
  readonly socket: string
  close(): Promise<void>
}

export interface EgressRefusal {
  host: string
  port: number
  /** One sentence for the authors of the app. */
  reason: string
}

/** Lets project code on the server side reach public addresses, as far as the operator allows it. */
export interface Egress {
  /**
   * `policy` is what the project asks for; the operator's limit applies on top. Of refusals, the first 50 are told: an
   * app sees no more than a request that failed.
   */
  open(policy: EgressPolicy, onRefusal: (refusal: EgressRefusal) => void): Promise<EgressGate>
}
