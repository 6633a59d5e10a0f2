import { call, followStream, KeyNeeded, Refused, readKey, storeKey } from './client.js'
import { ProjectList } from './project-list.js'
import { ProjectView } from './project-view.js'

const find = (id) => document.getElementById(id)
const list = new ProjectList(find('projects'), (id) => guarded(() => select(id)))
let view
let selected
let cursor = ''

await guarded(start)

async function start() {
  find('example').textContent =
    `curl -X POST ${location.origin}/v1/projects/hello/changes \\\n` +
    `  -H 'content-type: application/json' \\\n` +
    `  -d '{"files":{"index.html":"<h1>Hello</h1>"}}'`
  await showPage()
  find('more').addEventListener('click', () => guarded(showPage))
  find('change-key').addEventListener('click', () => askForKey())
  find('change-key').hidden = readKey() === null
  guarded(followAll)
}

/** Runs it; where the server wants a key, asks for one and begins anew. */
async function guarded(action) {
  try {
    await action()
  } catch (error) {
    if (error instanceof KeyNeeded) askForKey(readKey() !== null)
    else say(error.message)
  }
}

async function showPage() {
  const page = await call(`/v1/projects?limit=50${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
  for (const project of page.items) list.show(project)
  cursor = page.nextCursor ?? ''
  find('more').hidden = page.nextCursor === null
  const wanted = decodeURIComponent(location.hash.slice(1))
  const first = page.items.find(({ id }) => id === wanted) ?? page.items[0]
  if (selected === undefined && first) await select(first.id)
  if (selected === undefined) find('nothing').hidden = false
}

async function select(id) {
  selected = id
  history.replaceState(null, '', `#${id}`)
  const project = await call(`/v1/projects/${id}`)
  if (selected !== id) return
  view?.close()
  view = new ProjectView(find('project'), project)
  list.select(id)
}

/** Everything that happens, where the key may see it all; else what happens to its project. */
async function followAll() {
  try {
    await follow('/v1/events?types=status')
  } catch (error) {
    if (!(error instanceof Refused) || selected === undefined) throw error
    await follow(`/v1/events?types=status&project=${selected}`)
  }
}

function follow(path) {
  return followStream(path, {
    signal: new AbortController().signal,
    onState: say,
    onEvent: ({ event, data }) => event === 'status' && guarded(() => onStatus(data)),
  })
}

async function onStatus(status) {
  if (list.has(status.project)) list.update(status)
  else list.show(await call(`/v1/projects/${status.project}`), { first: true })
  if (selected === undefined) await select(status.project)
  else if (status.project === selected) view?.update(status)
}

function say(text) {
  find('connection').textContent = text
  find('connection').classList.toggle('live', text === 'live')
}

function askForKey(wasWrong = false) {
  const dialog = find('key-dialog')
  if (dialog.open) return
  find('key-wrong').hidden = !wasWrong
  find('key-form').addEventListener(
    'submit',
    () => {
      storeKey(find('key-input').value)
      location.reload()
    },
    { once: true },
  )
  dialog.showModal()
}
