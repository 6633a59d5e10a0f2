import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Script and style of this server only; previews are framed from wherever the preview domain is. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "frame-src http: https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const ASSETS = [
  'style.css',
  'icon.svg',
  'main.js',
  'dashboard.js',
  'client.js',
  'element.js',
  'project-list.js',
  'project-view.js',
  'preview-frame.js',
  'build-log.js',
]

/** `/`: the plain page that lists projects with their state, log and preview. */
export function pageRoutes(): FastifyPluginAsyncZod {
  return async (app) => {
    for (const [url, name] of [
      ['/', 'index.html'],
      ...ASSETS.map((name) => [`/page/${name}`, name]),
    ] as const) {
      const content = await readFile(new URL(`./page/${name}`, import.meta.url))
      const etag = `"${createHash('sha256').update(content).digest('base64url')}"`
      app.route({
        method: 'GET',
        url: url as string,
        config: { access: 'open' },
        schema: { hide: true },
        handler: async (request, reply) => {
          reply.headers({ etag, 'cache-control': 'no-cache', 'content-security-policy': CSP })
          if (request.headers['if-none-match'] === etag) return reply.code(304).send()
          return reply
            .type(TYPES[(name as string).split('.')[1] ?? ''] ?? 'application/octet-stream')
            .send(content)
        },
      })
    }
  }
}
