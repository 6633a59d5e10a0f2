import { readStream } from './client.js'
import { element } from './element.js'

const MAX_LINES = 3000

/** The log of a project's newest build, as it is written. */
export class BuildLog {
  panel = element('pre', { class: 'log' })
  #reading = new AbortController()
  #buildId

  /** Follows the log of this build, where it does not already. */
  follow(project, buildId) {
    if (buildId === this.#buildId) return
    this.close()
    this.#buildId = buildId
    this.panel.replaceChildren()
    if (buildId === undefined) return this.#note('Nothing was built yet.')
    this.#reading = new AbortController()
    this.#read(project, buildId, this.#reading.signal)
  }

  close() {
    this.#reading.abort()
    this.#buildId = undefined
  }

  async #read(project, buildId, signal) {
    const path = `/v1/projects/${project}/logs?follow=1&build=${buildId}`
    try {
      await readStream(path, { signal, onEvent: ({ event, data }) => this.#show(event, data) })
    } catch (error) {
      if (!signal.aborted) this.#note(`The log broke off: ${error.message}`)
    }
  }

  #show(event, data) {
    if (event === 'end') return this.#note(`The build ${data.build} ${data.state ?? 'ended'}.`)
    if (event === 'log') this.#append(element('span', { class: data.stream }, `${data.text}\n`))
  }

  #note(text) {
    this.#append(element('span', { class: 'note' }, `${text}\n`))
  }

  #append(line) {
    const box = this.panel.parentElement
    const atEnd = box && box.scrollHeight - box.scrollTop - box.clientHeight < 40
    this.panel.append(line)
    while (this.panel.childElementCount > MAX_LINES) this.panel.firstElementChild.remove()
    if (atEnd) box.scrollTop = box.scrollHeight
  }
}
