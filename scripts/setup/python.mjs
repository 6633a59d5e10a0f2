import { aptInstall } from './apt.mjs'
import { run } from './command.mjs'
import { SetupProblem } from './problem.mjs'

/** Debian packages by the module that shows they are there. */
const MODULES = {
  aiohttp: 'python3-aiohttp',
  anyio: 'python3-anyio',
  fastapi: 'python3-fastapi',
  mypy: 'mypy',
  pytest: 'python3-pytest',
  uvicorn: 'python3-uvicorn',
  websockets: 'python3-websockets',
}

/** The Python of the distribution, which its packages are for; another one on the PATH has not got them. */
const PYTHON = '/usr/bin/python3'

/** Installs what the tests of the Python client run on, where it is missing. */
export async function ensurePython() {
  const missing = await missingModules()
  if (missing.length === 0) return
  await aptInstall(missing.map((module) => MODULES[module]))
  const still = await missingModules()
  if (still.length > 0) throw new SetupProblem(`${PYTHON} finds no ${still.join(', ')}: install them.`)
}

async function missingModules() {
  const script = `import importlib.util, sys
for name in sys.argv[1:]:
    if importlib.util.find_spec(name) is None: print(name)`
  const names = Object.keys(MODULES)
  try {
    const { code, output } = await run(PYTHON, ['-c', script, ...names])
    return code === 0 ? output.split('\n').filter(Boolean) : names
  } catch {
    return names
  }
}
