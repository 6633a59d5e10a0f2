export type * from './protocol.ts'

/** The version of the HTTP contract that this client speaks. */
export const API_VERSION = 'v1'
