import { Module } from 'node:module'
import { isAbsolute } from 'node:path'

/** Where version 3 of Tailwind loads the configuration of a project. */
const LOADER = '/tailwindcss/lib/lib/load-config.js'

/**
 * Has Tailwind read a configuration anew when it was edited. It asks Node first, which keeps an ES module for ever
 * since it gives those to `require`; only where Node refuses, as it did before, does it load the file by itself.
 */
export function loadTailwindAnew(): void {
  const { require } = Module.prototype
  Module.prototype.require = Object.assign(function (this: Module, id: string) {
    if (isAbsolute(id) && this.filename?.endsWith(LOADER)) throw new Error('Tailwind loads this itself.')
    return require.call(this, id)
  }, require)
}
