import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkFilePath, filePathProblem } from '../../src/model/file-path.ts'

describe('a file path', () => {
  test.each([
    'index.html',
    'src/App.tsx',
    '.env.local',
    '.github/workflows/ci.yml',
    '.gitignore',
    'a b/c (1).txt',
    'src/[id]/$slug.tsx',
    '...',
    'a..b',
    '__proto__',
    'constructor/prototype/toString',
    'público/café.png',
    '日本語/ファイル.ts',
    'emoji-👩‍💻️.svg',
    'a∕b',
    'con:aux',
    'x'.repeat(255),
    `${'a/'.repeat(511)}ab`,
  ])('may be %j', (path) => {
    expect(filePathProblem(path)).toBeUndefined()
  })

  test.each([
    ['', 'is empty'],
    ['/etc/passwd', 'is absolute'],
    ['//host/share', 'is absolute'],
    ['../x', 'segment ".."'],
    ['a/../../x', 'segment ".."'],
    ['a/..', 'segment ".."'],
    ['./x', 'segment "."'],
    ['a//b', 'empty segment'],
    ['a/', 'empty segment'],
    ['a\\..\\b', 'backslash'],
    ['C:\\x', 'backslash'],
    ['a\0.ts', 'control character'],
    ['a\nb', 'control character'],
    ['a\u0085b', 'control character'],
    ['a\u202egpj.exe', 'control character'],
    ['\ud800', 'not valid Unicode'],
    ['a/\udc00/b', 'not valid Unicode'],
    ['．．/x', 'segment ".."'],
    ['\u2025/x', 'segment ".."'],
    ['\u2024\u2024/x', 'segment ".."'],
    ['.\u200b./x', 'segment ".."'],
    ['a／..／b', 'look-alike'],
    ['a\uff3c..\uff3cb', 'look-alike'],
    ['\u200d/x', 'absolute'],
    ['node_modules/x/index.js', 'inside node_modules'],
    ['packages/a/Node_Modules/x', 'inside node_modules'],
    ['ｎode_modules/x', 'inside node_modules'],
    ['.git/config', 'inside .git'],
    ['vendor/.GIT/hooks/post-checkout', 'inside .git'],
    ['.g\u200cit/config', 'inside .git'],
    ['.git', 'inside .git'],
    ['.file-hashes.json', 'server uses'],
    ['.build-status', 'server uses'],
    ['x'.repeat(256), 'longer than 255 bytes'],
    ['é'.repeat(128), 'longer than 255 bytes'],
    [`${'a/'.repeat(512)}b`, 'longer than 1024 bytes'],
  ])('may not be %j, which %s', (path, problem) => {
    expect(filePathProblem(path)).toContain(problem)
    expect(() => checkFilePath(path)).toThrow(expect.objectContaining({ code: 'INVALID_PATH' }))
  })

  test('that is accepted stays inside whatever it is joined to, in every normal form', () => {
    const piece = fc.constantFrom(
      '.',
      '..',
      '/',
      '\\',
      'a',
      '．',
      '／',
      '\u2025',
      '\u200b',
      '\0',
      'é',
      '.git',
      '＼',
      '%2e',
    )
    const path = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(path, fc.constantFrom('NFC', 'NFD', 'NFKC', 'NFKD'), (text, form) => {
        if (filePathProblem(text) !== undefined) return
        const normal = text.normalize(form)
        expect(posix.join('/base', normal)).toBe(`/base/${normal}`)
        expect(normal.split('/')).toHaveLength(text.split('/').length)
        expect(normal).not.toMatch(/[\0\\]/)
      }),
      { numRuns: 5000 },
    )
  })
})
