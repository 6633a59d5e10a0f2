export type EgressPolicy = 'none' | 'allowlist' | 'public'

/** A way out of one worker's sandbox: an HTTP proxy on a unix socket of its own. */
export interface EgressGate {
  readonly socket: string
  /** Hosts that were refused, newest last, with the reason; bounded. */
  refusals(): readonly EgressRefusal[]
  close(): Promise<void>
}

export interface EgressRefusal {
  at: string
  host: string
  port: number
  reason: string
}

/** Lets project code on the server side reach public addresses, as far as the operator allows it. */
export interface Egress {
  /** `policy` is what the project asks for; the operator's limit applies on top. */
  open(project: string, policy: EgressPolicy): Promise<EgressGate>
}
