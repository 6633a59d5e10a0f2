import { escapeHtml } from '../status-page/escape-html.ts'

/** More than the pages of large apps import at once. */
const MAX_MODULES = 500

/**
 * Elements that let a browser fetch the modules of a page side by side, before it finds out, import by import, that it
 * needs them: over a network each step on that way is a round trip. The client script takes them out of the page again.
 */
export function preloadTags(modules: readonly string[]): string {
  return modules
    .slice(0, MAX_MODULES)
    .map((url) => `<link data-previewd rel="modulepreload" href="${escapeHtml(url)}">`)
    .join('')
}
