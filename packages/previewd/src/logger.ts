import { type Logger, pino } from 'pino'
import type { Config } from './config.ts'

/** JSON lines on stderr, so that stdout stays for results. Keys and tokens never reach it. */
export function createLogger({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  return pino(
    {
      level: logLevel,
      base: null,
      redact: {
        paths: [
          'req.headers.authorization',
          'req.headers.cookie',
          'headers.authorization',
          'headers.cookie',
          '*.token',
        ],
        censor: '(removed)',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}
