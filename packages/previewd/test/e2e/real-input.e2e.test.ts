import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APPS, type App } from './apps.ts'
import { launchBrowser, openPage } from './browser.ts'
import { type DaemonUnderTest, startDaemonUnderTest } from './daemon-under-test.ts'
import { fixtureFiles, templateFiles, templateNames } from './project-files.ts'

let daemon: DaemonUnderTest
let browser: Browser

beforeAll(async () => {
  daemon = await startDaemonUnderTest()
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.close()
  await daemon?.[Symbol.asyncDispose]()
})

async function push(id: string, files: ReturnType<typeof fixtureFiles>, settings?: App['settings']) {
  if (settings !== undefined) expect(await daemon.client.settings(id, settings)).toBeLessThan(300)
  const answer = await daemon.client.push(id, files)
  const { state, diagnostics, published } = answer.status
  expect({ code: answer.code, state, errors: diagnostics.filter((one) => one.severity === 'error') }).toEqual(
    {
      code: 200,
      state: 'ready',
      errors: [],
    },
  )
  expect(published?.revision).toBe(answer.revision)
}

describe('at an origin of its own', () => {
  test.concurrent.for(templateNames())(
    'the %s template is built with its script and renders',
    async (name) => {
      await push(`t-${name}`, templateFiles(name))
      await using opened = await openPage(browser, daemon.client.previewUrl(`t-${name}`), {
        text: /get started/i,
        name: `origin-${name}`,
      })
      // The build that Qwik 1 makes on Vite 8 shows its page and does not answer clicks, whatever serves it.
      if (!name.startsWith('qwik')) {
        await opened.page.getByRole('button', { name: /count is 0/i }).click()
        await opened.page.getByText(/count is 1/i).waitFor()
      }
      expect(opened.problems).toEqual([])
    },
  )

  test.concurrent.for(APPS)('an app renders that has $title', async ({ name, settings, text, check }) => {
    await push(name, fixtureFiles(name), settings)
    await using opened = await openPage(browser, daemon.client.previewUrl(name), {
      text,
      name: `origin-${name}`,
    })
    await check?.(opened.page)
    expect(opened.problems).toEqual([])
  })

  test('a deep link of an app with a router is answered by the app', async () => {
    await using opened = await openPage(browser, daemon.client.previewUrl('ai-builder', '/orders/2'), {
      text: 'Order of Bo Lind',
    })
    expect(opened.problems).toEqual([])
  })

  test('a secret of a static project is never served', async () => {
    const answer = await daemon.client.preview('plain-html', '/.env')
    expect(answer.code).toBe(404)
    expect(answer.text).not.toContain('never-served')
  })

  test('a project that is pushed again unchanged makes no revision and no build', async () => {
    const before = await daemon.client.status('plain-html')
    const answer = await daemon.client.push('plain-html', fixtureFiles('plain-html'))
    expect(answer).toMatchObject({ revision: before.revision, changed: [], code: 200 })
    expect(answer.status.build?.id).toBe(before.build?.id)
  })
})

describe('under the path', () => {
  test('a browser is sent to the origin where that resolves', async () => {
    await using opened = await openPage(browser, daemon.client.pathUrl('ai-builder'), {
      text: 'Calm sea today',
    })
    expect(new URL(opened.page.url()).hostname).toBe('ai-builder.localhost')
    expect(opened.problems).toEqual([])
  })

  describe('in a sandbox, where it does not', () => {
    beforeAll(() => daemon.restart({ PREVIEWD_PATH_MODE: 'sandboxed' }))

    test.concurrent.for(templateNames())('the %s template renders', async (name) => {
      await push(`t-${name}`, templateFiles(name))
      await using opened = await openPage(browser, daemon.client.pathUrl(`t-${name}`), {
        text: /get started/i,
        name: `path-${name}`,
      })
      expect(opened.problems.filter(isNoLimitOfOpaqueOrigins)).toEqual([])
    })

    test.concurrent.for(APPS)('an app renders that has $title', async ({ name, settings, text, check }) => {
      await push(name, fixtureFiles(name), settings)
      await using opened = await openPage(browser, daemon.client.pathUrl(name), {
        text,
        name: `path-${name}`,
      })
      await check?.(opened.page)
      expect(opened.problems.filter(isNoLimitOfOpaqueOrigins)).toEqual([])
    })
  })
})

/** A page in a sandbox has no origin, and browsers let `<use href="/icons.svg#one">` refer to the page's own only. */
function isNoLimitOfOpaqueOrigins(problem: string): boolean {
  return !/^console: Unsafe attempt to load URL .*\.svg|^request: .*\.svg origin$/.test(problem)
}
