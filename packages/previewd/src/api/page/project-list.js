import { element } from './element.js'

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

/** The list at the side; `onSelect(id)` when one is chosen. */
export class ProjectList {
  #list
  #onSelect
  #items = new Map()
  #selected

  constructor(list, onSelect) {
    this.#list = list
    this.#onSelect = onSelect
  }

  has(id) {
    return this.#items.has(id)
  }

  /** Adds it at the end, or updates it where it is. */
  show(project, { first = false } = {}) {
    const known = this.#items.get(project.id)
    const row = known?.row ?? element('li')
    row.replaceChildren(this.#button(project))
    this.#items.set(project.id, { row, project })
    if (known) return
    if (first) this.#list.prepend(row)
    else this.#list.append(row)
  }

  /** A new state of a project that is shown. */
  update(status) {
    const item = this.#items.get(status.project)
    if (!item) return
    this.show({
      ...item.project,
      revision: status.revision,
      state: status.state,
      activeAt: new Date().toISOString(),
    })
  }

  select(id) {
    this.#selected = id
    for (const { project } of this.#items.values()) this.show(project)
  }

  #button(project) {
    const { id, name, state, revision, activeAt } = project
    return element(
      'button',
      {
        class: 'item',
        type: 'button',
        'aria-current': String(id === this.#selected),
        onclick: () => this.#onSelect(id),
      },
      element('span', { class: 'name' }, name || id),
      element('span', { class: `state ${state}` }, state),
      element('span', { class: 'detail' }, `revision ${revision} · ${ago(activeAt)}`),
    )
  }
}

function ago(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000
  const [unit, length] = UNITS.find(([, unitLength]) => Math.abs(seconds) >= unitLength) ?? []
  return unit ? relative.format(Math.round(seconds / length), unit) : 'just now'
}
