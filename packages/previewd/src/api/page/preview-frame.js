import { call } from './client.js'
import { element } from './element.js'

/** What a preview may do: run, keep its own storage, open windows. Never move this page elsewhere. */
const SANDBOX = 'allow-scripts allow-same-origin allow-forms allow-modals allow-popups allow-downloads'
const GRANT_SECONDS = 12 * 3600

/** The preview of a project, in a frame of its own origin. */
export class PreviewFrame {
  panel = element('div', { class: 'frame' })
  #shown

  /** Loads it, and loads it anew when another build was published. */
  show(project, status) {
    const shown = `${project.id} ${status.published?.buildId ?? ''}`
    if (shown === this.#shown) return
    this.#shown = shown
    this.#load(project, status)
  }

  async #load(project, status) {
    const wanted = this.#shown
    const src = await previewUrl(project, status).catch(() => status.urls.preview)
    if (wanted !== this.#shown) return
    this.panel.replaceChildren(
      element('iframe', {
        src,
        sandbox: SANDBOX,
        referrerpolicy: 'no-referrer',
        title: `Preview of ${project.name || project.id}`,
      }),
    )
  }
}

async function previewUrl({ id, visibility }, status) {
  if (visibility !== 'private') return status.urls.preview
  const body = { role: 'viewer', expiresInSeconds: GRANT_SECONDS }
  return (await call(`/v1/projects/${id}/grants`, { method: 'POST', body })).url
}
