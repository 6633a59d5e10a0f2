import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** The distribution's own, with its packages; "npm test" installs them. */
const PYTHON = '/usr/bin/python3'
const CLIENT = join(import.meta.dirname, '../../../../clients/python')

const surroundings = (more: Record<string, string>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...more,
  PYTHONPATH: [join(CLIENT, 'src'), join(CLIENT, 'tests')].join(delimiter),
  // The tests run as root, and leave nothing of root's beside the sources.
  PYTHONDONTWRITEBYTECODE: '1',
})

/** Runs Python in the folder of the Python client; resolves with what it says in the end. */
export async function runPython(
  args: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(PYTHON, args, {
    cwd: CLIENT,
    env: surroundings(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

export interface PythonApp extends AsyncDisposable {
  port: number
}

/** An ASGI app, `module:name` in `folder`, behind uvicorn on a free port. */
export async function startPythonApp(
  folder: string,
  app: string,
  environment: Record<string, string>,
): Promise<PythonApp> {
  const child = spawn(PYTHON, ['-m', 'uvicorn', app, '--port', '0'], {
    cwd: folder,
    env: surroundings(environment),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  let said = ''
  const port = await new Promise<number>((resolve, reject) => {
    // Read to the end: a pipe that nobody reads stops who writes to it.
    const lines = createInterface({ input: child.stderr })
    lines.on('line', (line) => {
      said = `${said}${line}\n`.slice(-8_000)
      const found = /running on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)
      if (found) resolve(Number(found[1]))
    })
    lines.on('close', () => reject(new Error(`The app ended before it listened: ${said}`)))
  })
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      process.off('exit', orphaned)
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
