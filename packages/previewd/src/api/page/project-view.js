import { BuildLog } from './build-log.js'
import { call } from './client.js'
import { element } from './element.js'
import { PreviewFrame } from './preview-frame.js'

/** One project: what state it is in, its preview, its log and what is wrong with it. */
export class ProjectView {
  #project
  #log = new BuildLog()
  #frame = new PreviewFrame()
  #problems = element('ul', { class: 'problems' })
  #state = element('span', { class: 'state' })
  #facts = element('span', { class: 'facts' })
  #tabs
  #panel = element('div', { role: 'tabpanel' })

  constructor(container, project) {
    this.#project = project
    this.#tabs = {
      Preview: element(
        'button',
        { role: 'tab', type: 'button', onclick: () => this.#open('Preview') },
        'Preview',
      ),
      Log: element('button', { role: 'tab', type: 'button', onclick: () => this.#open('Log') }, 'Log'),
      Problems: element(
        'button',
        { role: 'tab', type: 'button', onclick: () => this.#open('Problems') },
        'Problems',
      ),
    }
    const tabs = element('div', { role: 'tablist' }, ...Object.values(this.#tabs))
    container.replaceChildren(this.#title(), tabs, this.#panel)
    this.#open('Preview')
    this.update(project.status)
  }

  update(status) {
    const { state, build, diagnostics } = status
    this.#state.className = `state ${state}`
    this.#state.textContent = state
    this.#facts.textContent = facts(status)
    this.#log.follow(this.#project.id, build?.id)
    this.#frame.show(this.#project, status)
    this.#tabs.Problems.textContent = diagnostics.length > 0 ? `Problems (${diagnostics.length})` : 'Problems'
    this.#problems.replaceChildren(
      ...(diagnostics.length > 0
        ? diagnostics.map(problemItem)
        : [element('li', { class: 'quiet' }, 'Nothing is wrong.')]),
    )
  }

  close() {
    this.#log.close()
  }

  #title() {
    const { id, name, urls } = this.#project
    const rebuild = () => call(`/v1/projects/${id}/builds`, { method: 'POST', body: { force: true } })
    return element(
      'div',
      { class: 'title' },
      element('h2', {}, name || id),
      this.#state,
      this.#facts,
      element(
        'div',
        { class: 'actions' },
        element(
          'button',
          { type: 'button', onclick: () => rebuild().catch((error) => this.#say(error)) },
          'Build',
        ),
        element(
          'a',
          { class: 'button', href: urls.preview, target: '_blank', rel: 'noopener noreferrer' },
          'Open preview ↗',
        ),
      ),
    )
  }

  #say(error) {
    this.#facts.textContent = error.message
  }

  #open(name) {
    const panels = { Preview: this.#frame.panel, Log: this.#log.panel, Problems: this.#problems }
    for (const [tab, button] of Object.entries(this.#tabs)) button.ariaSelected = String(tab === name)
    if (this.#panel.firstElementChild === panels[name]) return
    this.#panel.replaceChildren(panels[name])
    if (name === 'Log') this.#panel.scrollTop = this.#panel.scrollHeight
  }
}

function facts({ revision, build, progress }) {
  const parts = [`revision ${revision}`]
  if (progress)
    parts.push(`${progress.phase} ${progress.done}${progress.total ? ` of ${progress.total}` : ''} packages`)
  if (build?.durationMs !== undefined) parts.push(`${build.state} in ${duration(build.durationMs)}`)
  return parts.join(' · ')
}

function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function problemItem({ severity, origin, file, line, column, message, frame, hint }) {
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  return element(
    'li',
    { class: `problem ${severity}` },
    element('span', { class: 'where' }, [origin, place].filter(Boolean).join(' · ')),
    element('p', {}, message),
    frame ? element('pre', {}, frame) : undefined,
    hint ? element('p', { class: 'quiet' }, hint) : undefined,
  )
}
