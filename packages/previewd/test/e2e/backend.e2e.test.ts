import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { HandWrittenUpstream } from '../serve/hand-written-upstream.ts'
import { launchBrowser, openPage } from './browser.ts'
import { startDaemonUnderTest } from './daemon-under-test.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const PAGE = `<!doctype html><html><head><title>shop</title></head><body><ul></ul><script type="module">
const say = (text) => { const line = document.createElement('li'); line.textContent = text; document.querySelector('ul').append(line) }
await fetch('/api/login', { method: 'POST', body: 'ann' })
const me = await fetch('/api/me')
say(me.status + ' ' + await me.text() + ' ' + new URL(me.url).pathname)
await new Promise((done) => { new EventSource('/api/events').onmessage = ({ data, target }) => { say(data); target.close(); done() } })
const socket = new WebSocket('ws://' + location.host + '/api/socket')
socket.onopen = () => socket.send('hi')
socket.onmessage = ({ data }) => { say(data); socket.close(); say('done') }
</script></body></html>`

/** What a small API does: a session cookie, a redirect to itself, events, a WebSocket. */
async function startApi(): Promise<HandWrittenUpstream> {
  const api = await HandWrittenUpstream.startAtPort()
  api.answer = async (req, res) => {
    if (req.url === '/api/login') {
      const user = (await req.toArray()).join('')
      const cookie = `user=${user}; Domain=127.0.0.1; Path=/api; HttpOnly; Secure; SameSite=None`
      res.writeHead(204, { 'set-cookie': cookie }).end()
    } else if (req.url === '/api/me') {
      res.writeHead(307, { location: `http://${req.headers.host}/api/users/me` }).end()
    } else if (req.url === '/api/users/me') {
      res.end(`cookie ${req.headers.cookie}`)
    } else {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: an event\n\n')
    }
  }
  const sockets = new WebSocketServer({ noServer: true })
  api.upgrade = (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (opened) => {
      opened.on('message', (content) => opened.send(`echo ${content}`))
    })
  }
  return api
}

test('a page logs in at its back end, follows its redirect, hears its events and speaks with it', async () => {
  const api = await startApi()
  await using daemon = await startDaemonUnderTest({ PREVIEWD_PROXY_TARGETS: 'http://127.0.0.1:*' })
  const { client } = daemon
  expect(await client.settings('shop', { proxy: { '/api': 'https://elsewhere.example' } })).toBe(422)
  expect(await client.settings('shop', { proxy: { '/api': api.origin } })).toBe(201)
  expect(await client.push('shop', { 'index.html': PAGE })).toMatchObject({ code: 200 })

  await using opened = await openPage(browser, client.previewUrl('shop'), { text: 'done' })
  expect(await opened.page.locator('li').allTextContents()).toEqual([
    '200 cookie user=ann /api/users/me',
    'an event',
    'echo hi',
    'done',
  ])

  await api[Symbol.asyncDispose]()
  await opened.page.goto(client.previewUrl('shop', '/api/me'))
  expect(await opened.page.getByRole('heading').textContent()).toBe('The back end does not answer')
  expect(await opened.page.locator('.lead').textContent()).toContain(`below /api go to ${api.origin}`)
})
