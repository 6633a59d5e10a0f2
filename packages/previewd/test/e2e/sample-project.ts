import type { Files } from './project-files.ts'

const PAGE = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Sample</title><link rel="icon" href="data:,"></head>
  <body><h1 id="root"></h1><script type="module" src="/src/main.js"></script></body>
</html>
`

/** A project that builds in a moment: Vite alone, a page that shows `text`. */
export function sampleProject(text: string, more: Files = {}): Files {
  return {
    'package.json': JSON.stringify({
      name: 'sample',
      private: true,
      type: 'module',
      scripts: { build: 'vite build' },
      devDependencies: { vite: '^8.3.0' },
    }),
    'index.html': PAGE,
    'src/main.js': `document.querySelector('#root').textContent = ${JSON.stringify(text)}\n`,
    ...more,
  }
}

/** A Vite configuration whose module runs `code` when it is loaded. */
export function configThatRuns(code: string): Files {
  return { 'vite.config.js': `${code}\nexport default {}\n` }
}
