import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Beside the folder of the project, which is not there yet and must find nothing of this. */
export const SAMPLE = '/tmp/rehearsal'
export const SAMPLE_CACHE = join(SAMPLE, '.cache')
export const SAMPLE_OUTPUT = join(SAMPLE, 'dist')

/** Components, each of which imports the next. */
const COMPONENTS = 12
const LOADER = `export const load = (name) => import(name)\n`

/** An empty folder that finds the packages that `cwd` finds. */
export function makeSampleFolder(cwd: string): void {
  mkdirSync(join(SAMPLE, 'src'), { recursive: true })
  // Without packages of its own, those of /app are found by way of the sandbox's /node_modules.
  const packages = join(cwd, 'node_modules')
  if (existsSync(packages)) symlinkSync(packages, join(SAMPLE, 'node_modules'))
}

/** A module that imports others as a module of the project would. */
export function writeLoader(): string {
  const file = join(SAMPLE, 'load.mjs')
  writeFileSync(file, LOADER)
  return file
}

/** Writes the app; returns the addresses of its modules, the page first. */
export function writeSample({ hasReact, hasTailwindPlugin }: SampleKind): string[] {
  const extension = hasReact ? 'tsx' : 'ts'
  const files = new Map([
    ['package.json', '{"type":"module"}'],
    [
      'index.html',
      `<!doctype html><div id="root"></div><script type="module" src="/src/main.${extension}"></script>`,
    ],
    [`src/main.${extension}`, hasReact ? REACT_MAIN : PLAIN_MAIN],
    ['src/main.css', `${hasTailwindPlugin ? '@import "tailwindcss";\n' : ''}${CSS}`],
  ])
  for (let index = 0; index < COMPONENTS; index++) {
    files.set(`src/part${index}.${extension}`, (hasReact ? reactPart : plainPart)(index))
  }
  for (const [path, content] of files) writeFileSync(join(SAMPLE, path), content)
  return ['/', ...[...files.keys()].filter((path) => path.startsWith('src/')).map((path) => `/${path}`)]
}

export interface SampleKind {
  hasReact: boolean
  hasTailwindPlugin: boolean
}

const CSS = `:root { --gap: 4px }
.part { display: flex; color: rgb(1 2 3 / 50%); margin: calc(var(--gap) * 2) }
.part:hover > b::after { content: ''; transform: translate(1px, 2px) }
@media (min-width: 40em) { .part { padding: 1rem } }
`

/** Names that a module of the sample takes from another; what imports here is told by how lines begin. */
const use = (names: string, from: string) => `import { ${names} } from '${from}'`
const useStyles = `import './main.css'`

const PLAIN_MAIN = `${useStyles}
${use('part0', './part0')}
document.body.append(part0({ name: 'x' }))
`

const REACT_MAIN = `${use('StrictMode', 'react')}
${use('createRoot', 'react-dom/client')}
${useStyles}
${use('Part0', './part0')}
createRoot(document.getElementById('root')!).render(<StrictMode><Part0 name="x" /></StrictMode>)
`

const nextOf = (index: number) => (index + 1 < COMPONENTS ? index + 1 : undefined)

function plainPart(index: number): string {
  const next = nextOf(index)
  return `${next === undefined ? '' : use(`part${next}`, `./part${next}`)}
interface Options<T = string> { name: T; items?: readonly T[] }
const cache = new Map<string, Promise<number>>()
export async function load${index}(id: string): Promise<number> {
  const found = cache.get(id) ?? fetch(\`/items/\${id}\`).then((answer) => answer.status)
  cache.set(id, found)
  return (await found) + ${index}
}
export function part${index}({ name, items = [] }: Options): HTMLElement {
  const element = document.createElement('b')
  for (const [place, item] of items.entries()) element.append(place % 2 === 0 ? item : \`\${item}, \`)
  element.onclick = () => void load${index}(name).catch(console.error)
  ${next === undefined ? '' : `element.append(part${next}({ name, items }))`}
  return element
}
`
}

function reactPart(index: number): string {
  const next = nextOf(index)
  return `${use('useEffect, useMemo, useState, type ReactNode', 'react')}
${next === undefined ? '' : use(`Part${next}`, `./part${next}`)}
interface Props { name: string; items?: readonly string[]; children?: ReactNode }
export function Part${index}({ name, items = [], children }: Props) {
  const [open, setOpen] = useState<boolean>(false)
  const sorted = useMemo(() => [...items].sort((a, b) => a.localeCompare(b)), [items])
  useEffect(() => {
    const timer = setTimeout(() => setOpen((was) => !was), ${index} * 1000)
    return () => clearTimeout(timer)
  }, [name])
  return (
    <section className={\`part \${open ? 'p-4 text-sm' : 'hidden'}\`} aria-label={name} onClick={() => setOpen(!open)}>
      {open && <h2>{name}</h2>}
      <ul>{sorted.map((item, place) => <li key={place} style={{ order: place }}>{item ?? '–'}</li>)}</ul>
      {children}
      ${next === undefined ? '' : `<Part${next} name={name} items={sorted} />`}
    </section>
  )
}
`
}
