import { isUtf8 } from 'node:buffer'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'

/** Files of a batch as the API takes them: text, or base64 where the bytes are not UTF-8. */
export type Files = Record<string, string | { encoding: 'base64'; content: string }>

const SKIPPED = new Set(['node_modules', '.git', 'dist'])

/** Every file below a folder, by its relative POSIX path; what a push leaves out is left out. */
export function readFolder(folder: string): Files {
  const files: Files = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')
    if (path.split('/').some((part) => SKIPPED.has(part))) continue
    const bytes = readFileSync(join(folder, path))
    files[path] = isUtf8(bytes)
      ? bytes.toString('utf8')
      : { encoding: 'base64', content: bytes.toString('base64') }
  }
  return files
}

/** The files of an app in test/fixtures/apps. */
export function fixtureFiles(name: string): Files {
  return readFolder(join(import.meta.dirname, '../fixtures/apps', name))
}

/** What the create-vite command itself writes for a template. */
export function templateFiles(template: string): Files {
  const command = createRequire(import.meta.url).resolve('create-vite/index.js')
  const folder = mkdtempSync(join(tmpdir(), 'previewd-template-'))
  try {
    execFileSync(process.execPath, [command, 'app', '--template', template, '--no-interactive'], {
      cwd: folder,
      stdio: 'pipe',
    })
    return readFolder(join(folder, 'app'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The names in the table that `create-vite --help` prints. */
export function templateNames(): string[] {
  const command = createRequire(import.meta.url).resolve('create-vite/index.js')
  const help = execFileSync(process.execPath, [command, '--help'], {
    encoding: 'utf8',
    cwd: dirname(command),
  })
  const table = help.slice(help.indexOf('Available templates:') + 'Available templates:'.length)
  return table.split(/\s+/).filter((word) => word !== '')
}
