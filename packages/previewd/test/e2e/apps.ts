import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { ProjectSettings } from '../../src/model/project.ts'

export interface App {
  /** Folder in test/fixtures/apps. */
  name: string
  /** What makes it a case of its own, as the end of a sentence. */
  title: string
  settings?: Partial<ProjectSettings>
  /** Text that only the app's own code puts on the page. */
  text: string | RegExp
  /** What has to hold besides once it is there. */
  check?: (page: Page) => Promise<void>
}

/** A property of the first element that fits; an expression in the page is text, since DOM types are not Node's. */
const inPage = (page: Page, selector: string, expression: string): Promise<unknown> =>
  page.evaluate(`((element) => ${expression})(document.querySelector('${selector}'))`)

const style = (page: Page, selector: string, property: string) =>
  inPage(page, selector, `getComputedStyle(element).${property}`)

const counts = async (page: Page) => {
  await page.getByRole('button').click()
  await page.getByText('count is 1').waitFor()
}

export const APPS: App[] = [
  { name: 'plain-html', title: 'plain HTML, without package.json', text: 'The script has run.' },
  {
    name: 'command-built',
    title: 'a site that a command of its own builds',
    settings: { framework: 'command', buildCommand: 'node build.mjs', outputDir: 'out' },
    text: 'Notes from a command',
  },
  {
    name: 'sub-folder',
    title: 'a project in a sub-folder that imports from beside it',
    settings: { root: 'web' },
    text: 'Built in a sub-folder',
  },
  {
    name: 'npm-phantom-import',
    title: 'a package-lock.json whose flat folder makes an undeclared import resolve',
    text: 'A day has 86400000 milliseconds',
  },
  {
    name: 'yarn-classic',
    title: 'the yarn.lock of Yarn 1, with a resolution',
    text: /yarn\.lock of Yarn 1/,
    check: counts,
  },
  { name: 'yarn-berry', title: 'the yarn.lock of Yarn 4', text: /yarn\.lock of Yarn 4/, check: counts },
  { name: 'bun-lock', title: 'a bun.lock', text: 'Installed from bun.lock', check: counts },
  { name: 'no-lockfile', title: 'no lockfile', text: 'Resolved without a lockfile', check: counts },
  {
    name: 'npm-workspace',
    title: 'an npm workspace with a package of its own',
    text: /A workspace package says 2 kiB/i,
  },
  {
    name: 'pnpm-workspace',
    title: 'a pnpm workspace with catalog: and workspace:',
    settings: { root: 'apps/web' },
    text: 'From a workspace package',
    check: async (page) => {
      const border = await style(page, '.card', 'borderTopWidth')
      expect(border).toBe('2px')
    },
  },
  {
    name: 'env-and-assets',
    title: 'VITE_ variables, aliases, SVG, CSS modules, globs and a lazy chunk',
    settings: { env: { VITE_FROM_SETTINGS: 'from the settings' } },
    text: 'A lazy chunk came.',
    check: async (page) => {
      const items = await page.locator('li').allInnerTexts()
      expect(items).toEqual([
        'from the file',
        'from the settings',
        'undefined',
        'raw svg',
        'Lisbon, Oslo',
        'one two',
      ])
      expect(await page.title()).toBe('from the file')
      expect(await style(page, 'main', 'color')).toBe('rgb(10, 20, 30)')
      // Images come when they come: React may have asked for this one after the page was loaded.
      await page.waitForFunction("document.querySelector('#logo').naturalWidth > 0")
    },
  },
  {
    name: 'ai-builder',
    title: 'the shape that AI builders write',
    text: 'Calm sea today',
    check: async (page) => {
      const background = await style(page, 'body', 'backgroundColor')
      expect(background).toBe('rgb(251, 252, 253)')
      await page.getByRole('link', { name: 'Catalogue' }).click()
      await page.getByText('Sardines of the day').waitFor()
      expect(new URL(page.url()).pathname).toMatch(/\/catalogue$/)
    },
  },
]
