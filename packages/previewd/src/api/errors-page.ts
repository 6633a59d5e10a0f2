import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { ERRORS } from '../errors.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}' +
  'dt{margin-top:1rem}dt:target{outline:2px solid;outline-offset:4px}'

/** `/docs/errors`: where the `type` of every problem leads. */
export function errorsPageRoute(): FastifyPluginAsyncZod {
  const entries = Object.entries(ERRORS).map(
    ([code, [status, title]]) => `<dt id="${code}"><code>${code}</code> · ${status}</dt><dd>${title}.</dd>`,
  )
  const html =
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>previewd: errors</title><style>${STYLE}</style>` +
    `<h1>Errors</h1><p>Every error answer is a problem (RFC 9457) with one of these codes.</p>` +
    `<dl>${entries.join('\n')}</dl></html>`

  return async (app) => {
    app.route({
      method: 'GET',
      url: '/docs/errors',
      config: { access: 'open' },
      schema: { hide: true },
      handler: async (_request, reply) =>
        reply
          .header(
            'content-security-policy',
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
          )
          .type('text/html; charset=utf-8')
          .send(html),
    })
  }
}
