import { call, followStream, KeyNeeded, Refused, readKey, storeKey } from './client.js'
import { ProjectList } from './project-list.js'
import { ProjectView } from './project-view.js'

const find = (id) => document.getElementById(id)

/** The whole page: the list, the project that is shown, and what keeps both up to date. */
export class Dashboard {
  #list = new ProjectList(find('projects'), (id) => this.#guarded(() => this.#select(id)))
  #view
  #selected
  #cursor = ''

  start() {
    find('more').addEventListener('click', () => this.#guarded(() => this.#showPage()))
    find('change-key').addEventListener('click', () => askForKey())
    find('change-key').hidden = readKey() === null
    find('example').textContent =
      `curl -X POST ${location.origin}/v1/projects/hello/changes \\\n` +
      `  -H 'content-type: application/json' \\\n` +
      `  -d '{"files":{"index.html":"<h1>Hello</h1>"}}'`
    return this.#guarded(async () => {
      await this.#showPage()
      await this.#followAll()
    })
  }

  /** Runs it; where the server wants a key, asks for one and begins anew. */
  async #guarded(action) {
    try {
      await action()
    } catch (error) {
      if (error instanceof KeyNeeded) askForKey(readKey() !== null)
      else say(error.message)
    }
  }

  async #showPage() {
    const after = this.#cursor && `&cursor=${encodeURIComponent(this.#cursor)}`
    const page = await call(`/v1/projects?limit=50${after}`)
    for (const project of page.items) this.#list.show(project)
    this.#cursor = page.nextCursor ?? ''
    find('more').hidden = page.nextCursor === null
    const wanted = decodeURIComponent(location.hash.slice(1))
    const first = page.items.find(({ id }) => id === wanted) ?? page.items[0]
    if (this.#selected === undefined && first) await this.#select(first.id)
    if (this.#selected === undefined) find('nothing').hidden = false
  }

  async #select(id) {
    this.#selected = id
    history.replaceState(null, '', `#${id}`)
    const project = await call(`/v1/projects/${id}`)
    if (this.#selected !== id) return
    this.#view?.close()
    this.#view = new ProjectView(find('project'), project)
    this.#list.select(id)
  }

  /** Everything that happens, where the key may see it all; else what happens to its project. */
  async #followAll() {
    try {
      await this.#follow('/v1/events?types=status')
    } catch (error) {
      if (!(error instanceof Refused) || this.#selected === undefined) throw error
      await this.#follow(`/v1/events?types=status&project=${this.#selected}`)
    }
  }

  #follow(path) {
    return followStream(path, {
      signal: new AbortController().signal,
      onState: say,
      onEvent: ({ event, data }) => event === 'status' && this.#guarded(() => this.#onStatus(data)),
    })
  }

  async #onStatus(status) {
    if (this.#list.has(status.project)) this.#list.update(status)
    else this.#list.show(await call(`/v1/projects/${status.project}`), { first: true })
    if (this.#selected === undefined) await this.#select(status.project)
    else if (status.project === this.#selected) this.#view?.update(status)
  }
}

function say(text) {
  find('connection').textContent = text
  find('connection').classList.toggle('live', text === 'live')
}

function askForKey(wasWrong = false) {
  const dialog = find('key-dialog')
  if (dialog.open) return
  find('key-wrong').hidden = !wasWrong
  const onSubmit = () => {
    storeKey(find('key-input').value)
    location.reload()
  }
  find('key-form').addEventListener('submit', onSubmit, { once: true })
  dialog.showModal()
}
