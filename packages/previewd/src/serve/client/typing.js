export const TYPING_MS = 2000

/** Returns whether somebody is in the middle of writing. */
export function watchTyping() {
  let lastInputAt = 0
  for (const type of ['input', 'keydown', 'compositionupdate']) {
    window.addEventListener(type, () => (lastInputAt = Date.now()), { capture: true, passive: true })
  }
  return function isTyping() {
    if (Date.now() - lastInputAt >= TYPING_MS) return false
    let focused = document.activeElement
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
    return focused?.isContentEditable === true || /^(?:input|textarea|select)$/i.test(focused?.tagName ?? '')
  }
}
