import { describe, expect, it } from 'vitest'
import { fromText, fromToolError } from '../../src/build/tool-error.ts'
import { memorySnapshot } from './memory-snapshot.ts'

const { files } = memorySnapshot({
  'index.html': '',
  'vite.config.ts': '',
  'src/App.tsx': '',
  'src/main.tsx': '',
  'src/a.css': '',
  'src/lib/utils.ts': '',
})
const place = { files, root: '' }

describe('fromToolError', () => {
  it('reads each error of an esbuild list, columns counted from one', () => {
    const message =
      'Transform failed with 2 errors:\n/app/src/App.tsx:2:24: ERROR: Unexpected closing "div" tag\n/app/src/App.tsx:3:0: ERROR: The character "}" is not valid inside a JSX element'
    expect(fromToolError({ message, plugin: 'vite:esbuild' }, place)).toMatchObject([
      {
        code: 'SYNTAX_ERROR',
        file: 'src/App.tsx',
        line: 2,
        column: 25,
        message: 'Unexpected closing "div" tag',
      },
      { file: 'src/App.tsx', line: 3, column: 1 },
    ])
  })

  it('reads several errors that Rolldown draws one below another', () => {
    const message = `Build failed with 2 errors:

[builtin:vite-transform] Expected corresponding JSX closing tag for 'span'.
   ╭─[ src/App.tsx:2:25 ]
   │
 2 │   return <div><span>hi</div>
   │                ──┬─     ─┬─
───╯

[builtin:vite-transform] Unexpected token.
   ╭─[ src/App.tsx:3:1 ]
   │
 3 │ }
───╯
`
    expect(fromText(message, place)).toMatchObject([
      { code: 'SYNTAX_ERROR', line: 2, column: 25, frame: expect.stringContaining('2 │   return') },
      { message: 'Unexpected token.', line: 3, column: 1 },
    ])
  })

  it('takes the column of swc from its mark, and says that its place is where the JSX begins', () => {
    const message = `  x Unexpected token \`div\`. Expected jsx identifier
    ,-[/app/src/App.tsx:4:1]
  3 |   return (
  4 |     <div className="p-4">
    :      ^^^
  5 |       <h1>Hello {"</h1>
    \`----


Caused by:
    Syntax Error`
    expect(fromToolError({ message, plugin: 'vite:react-swc' }, place)).toEqual([
      {
        origin: 'transform',
        severity: 'error',
        code: 'SYNTAX_ERROR',
        message: 'Unexpected token `div`. Expected jsx identifier',
        hint: expect.stringContaining('the mistake is inside it or right before it'),
        file: 'src/App.tsx',
        line: 4,
        column: 6,
        frame: expect.stringMatching(/`----$/),
      },
    ])
  })

  it('takes off the path that Babel begins with', () => {
    const message =
      '/app/src/App.tsx: Unterminated string constant. (2:8)\n\n  1 | <p>\n> 2 |   hello {"\n    |         ^'
    const error = { message, plugin: 'vite:react-babel', file: '/app/src/App.tsx', line: 2, column: 9 }
    expect(fromToolError(error, place)).toMatchObject([
      {
        code: 'SYNTAX_ERROR',
        message: 'Unterminated string constant.',
        file: 'src/App.tsx',
        line: 2,
        column: 9,
      },
    ])
  })

  it('reads what PostCSS and Tailwind 3 prefix', () => {
    const message =
      '[vite:css] [postcss] /app/src/a.css:3:3: The `bg-nope-500` class does not exist.\nfile: /app/src/a.css:3:2'
    expect(
      fromToolError({ message, plugin: 'vite:css', file: '/app/src/a.css', line: 3, column: 3 }, place),
    ).toMatchObject([
      {
        origin: 'transform',
        code: 'UNKNOWN_CLASS',
        message: 'The `bg-nope-500` class does not exist.',
        file: 'src/a.css',
        line: 3,
        column: 3,
      },
    ])
  })

  it('reads the place of a Rollup error', () => {
    const message =
      'src/main.tsx (1:8): "Foo" is not exported by "src/App.tsx", imported by "src/main.tsx".\nfile: /app/src/main.tsx:1:8\n\n1: import {Foo} from \'./App\'\n           ^\n2: console.log(Foo)\n'
    expect(fromToolError({ message, code: 'MISSING_EXPORT' }, place)).toMatchObject([
      {
        code: 'MISSING_EXPORT',
        message: '"Foo" is not exported by "src/App.tsx", imported by "src/main.tsx".',
        file: 'src/main.tsx',
        line: 1,
        column: 9,
        frame: expect.stringContaining('1: import {Foo}'),
      },
    ])
  })

  it('reads the frame that swc draws', () => {
    const message =
      '  × Expression expected\n   ╭─[/app/src/App.tsx:2:1]\n 1 │ export\n 2 │ const a = ;\n   ╰────'
    expect(fromToolError({ message, plugin: 'vite:react-swc' }, place)[0]).toMatchObject({
      code: 'SYNTAX_ERROR',
      message: 'Expression expected',
      file: 'src/App.tsx',
      line: 2,
      column: 1,
    })
  })

  it('reads what the Vue compiler says', () => {
    const message =
      '[vue/compiler-sfc] Unexpected token (2:10)\n\n/app/src/App.tsx\n1  |  <script setup>\n2  |  const a = ;\n   |            ^'
    expect(
      fromToolError({ message, plugin: 'vite:vue', file: '/app/src/App.tsx', line: 2, column: 11 }, place)[0],
    ).toMatchObject({
      code: 'SYNTAX_ERROR',
      message: 'Unexpected token',
      file: 'src/App.tsx',
      line: 2,
      column: 11,
      frame: expect.stringContaining('const a = ;'),
    })
  })

  it('reads what Sass says', () => {
    const message =
      '[sass] Undefined variable.\n  ╷\n2 │   color: $nope;\n  │          ^^^^^\n  ╵\n  src/a.css 2:10  root stylesheet'
    expect(fromToolError({ message, plugin: 'vite:css', file: '/app/src/a.css' }, place)[0]).toMatchObject({
      message: 'Undefined variable.',
      file: 'src/a.css',
      line: 2,
      column: 10,
    })
  })

  it('names the package that Rollup could not resolve, not the path below it', () => {
    const message =
      '[vite]: Rollup failed to resolve import "@radix-ui/react-dialog/x" from "/app/src/main.tsx".\nThis is most likely unintended because it can break your application at runtime.'
    expect(fromToolError({ message }, place)[0]).toMatchObject({
      code: 'MISSING_PACKAGE',
      file: 'src/main.tsx',
      hint: 'add "@radix-ui/react-dialog" to dependencies',
    })
  })

  it('says that an alias is not set where the file is there', () => {
    const message = '[vite]: Rolldown failed to resolve import "@/lib/utils" from "/app/src/main.tsx".'
    expect(fromToolError({ message }, place)[0]).toMatchObject({
      code: 'UNRESOLVED_ALIAS',
      hint: 'src/lib/utils.ts exists: set the alias "@" in resolve.alias of the Vite config',
    })
  })

  it('says where it looked for the page that Vite did not find', () => {
    const [diagnostic] = fromToolError(
      { message: '[UNRESOLVED_ENTRY] Cannot resolve entry module index.html.' },
      { files: memorySnapshot({ 'web/index.html': '' }).files, root: '' },
    )
    expect(diagnostic).toMatchObject({
      code: 'INDEX_HTML_MISSING',
      hint: expect.stringContaining('"web/index.html"'),
    })
  })

  it('names an optional part of Vite that is not installed', () => {
    const said = [
      'terser not found. Since Vite v3, terser has become an optional dependency. You need to install it.',
      'Preprocessor dependency "sass-embedded" not found. Did you install it? Try `npm install -D sass-embedded`.',
    ]
    expect(said.map((message) => fromToolError({ message }, place)[0]?.hint)).toEqual([
      'add "terser" to dependencies',
      'add "sass-embedded" to dependencies',
    ])
  })

  it('finds the source of a config that was bundled', () => {
    const message =
      "Cannot find package 'vite-plugin-nope' imported from /app/node_modules/.vite-temp/vite.config.ts.timestamp-1795-291bc9.mjs"
    expect(fromToolError({ message, code: 'ERR_MODULE_NOT_FOUND' }, place, true)[0]).toMatchObject({
      origin: 'config',
      code: 'MISSING_PACKAGE',
      file: 'vite.config.ts',
    })
  })

  it('finds files of a project in a sub-folder', () => {
    const nested = { files: memorySnapshot({ 'web/src/App.tsx': '' }).files, root: 'web' }
    const message = '[X] Unexpected token\n   ╭─[ src/App.tsx:2:13 ]\n 2 │ x'
    expect(fromToolError({ message }, nested)[0]?.file).toBe('web/src/App.tsx')
  })

  it('keeps no escape sequence of a hostile message', () => {
    const [diagnostic] = fromToolError(
      { message: '\u001b]0;title\u0007\u001b[31mred\u0000\u202e text' },
      place,
    )
    expect(diagnostic?.message).toBe('red text')
  })

  it('reads a long hostile message without delay', () => {
    const message = `${'('.repeat(30_000)}${'a/'.repeat(15_000)}:1:1: `
    expect(fromToolError({ message }, place)).toHaveLength(1)
  })
})
