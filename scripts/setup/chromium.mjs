import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import { aptInstall, distribution } from './apt.mjs'
import { find, projectRoot, run } from './command.mjs'
import { SetupProblem } from './problem.mjs'
import { step } from './steps.mjs'

const NAMES = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser']
const INSTEAD =
  'No Chromium works here: install Google Chrome or Chromium and run again with PREVIEWD_CHROMIUM=/path/to/it.'

/** An npm package that holds a whole headless Chromium for Linux x64. */
const PACKAGED = { name: '@sparticuz/chromium', version: '153.0.0' }

/**
 * Path of a Chromium: PREVIEWD_CHROMIUM, one on the PATH, Debian's package, or (Ubuntu, whose package is a stub for a
 * snap, which needs a desktop session and cannot reach /tmp) one from an npm package, kept in .previewd.
 */
export async function ensureChromium() {
  const chosen = process.env.PREVIEWD_CHROMIUM
  if (chosen && !existsSync(chosen)) throw new SetupProblem(`PREVIEWD_CHROMIUM names no file: ${chosen}.`)
  if (chosen) return chosen
  const installed = onPath() ?? (existsSync(packagedPath()) ? packagedPath() : undefined)
  if (installed) return installed
  if (distribution() === 'ubuntu') return unpackChromium()
  await aptInstall(['chromium', 'fonts-liberation'])
  const path = onPath()
  if (!path) throw new SetupProblem(INSTEAD)
  return path
}

function onPath() {
  return NAMES.map((name) => find(name)).find((path) => path && !isSnap(path))
}

/** Ubuntu's chromium-browser is a shell script that starts the snap. */
function isSnap(path) {
  const real = realpathSync(path)
  if (/(^|\/)snap(\/|$)/.test(real)) return true
  return statSync(real).size < 64 * 1024 && readFileSync(real).includes('/snap/bin')
}

function packagedPath() {
  return join(projectRoot, '.previewd', `chromium-${PACKAGED.version}`, 'chromium')
}

async function unpackChromium() {
  if (process.arch !== 'x64') throw new SetupProblem(INSTEAD)
  const target = join(packagedPath(), '..')
  const download = join(projectRoot, '.previewd', 'chromium-download')
  await step('Fetching a Chromium for the tests (70 MB)', async () => {
    mkdirSync(download, { recursive: true })
    const args = ['install', '--prefix', download, '--no-audit', '--no-fund', '--ignore-scripts', '--no-save']
    const { code } = await run(find('npm') ?? 'npm', [...args, `${PACKAGED.name}@${PACKAGED.version}`])
    if (code !== 0) throw new SetupProblem(INSTEAD)
    await assemble(join(download, 'node_modules', PACKAGED.name, 'bin'), `${target}.new`)
    renameSync(`${target}.new`, target)
    rmSync(download, { recursive: true })
    const { output } = await run(packagedPath(), ['--version'])
    if (!/\d+\./.test(output)) throw new SetupProblem(INSTEAD)
  })
  return packagedPath()
}

/** The browser, its software renderer beside it, its libraries and a font in folders, and a script that names them. */
async function assemble(source, target) {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, 'fonts'), { recursive: true })
  await unpack(join(source, 'chromium.br'), join(target, 'headless_shell'), 0o755)
  for (const [archive, folder] of [
    ['swiftshader', '.'],
    ['al2023', '.'],
    ['fonts', 'fonts'],
  ]) {
    const tar = join(target, `${archive}.tar`)
    await unpack(join(source, `${archive}.tar.br`), tar, 0o644)
    const { code } = await run('tar', [
      '--extract',
      '--no-same-owner',
      '--file',
      tar,
      '--directory',
      join(target, folder),
    ])
    if (code !== 0) throw new SetupProblem(INSTEAD)
    rmSync(tar)
  }
  writeFileSync(join(target, 'fonts.conf'), FONTS)
  writeFileSync(join(target, 'chromium'), LAUNCHER, { mode: 0o755 })
}

function unpack(source, target, mode) {
  return pipeline(createReadStream(source), createBrotliDecompress(), createWriteStream(target, { mode }))
}

const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`

const LAUNCHER = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$here/lib" FONTCONFIG_FILE="$here/fonts.conf" exec "$here/headless_shell" "$@"
`
