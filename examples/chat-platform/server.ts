import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createClient, PreviewdError } from '@previewd/client'
import { Chat } from './chat.ts'

const { PREVIEWD_URL = 'http://127.0.0.1:4400', PREVIEWD_API_KEY, PORT = '4500' } = process.env

const previewd = createClient({ url: PREVIEWD_URL, apiKey: PREVIEWD_API_KEY })
const project = previewd.project('chat-platform')
let chat = new Chat(project)

/** The page begins a new conversation about an empty project. The preview is its own site, in a frame. */
async function sendPage(response: ServerResponse): Promise<void> {
  await project.delete().catch((error: PreviewdError) => {
    if (error.code !== 'PROJECT_NOT_FOUND') throw error
  })
  await project.update({ name: 'Chat platform' })
  chat = new Chat(project)
  const preview = await project.getPreviewUrl({ role: 'editor' })
  const page = await readFile(new URL('page.html', import.meta.url), 'utf8')
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end(page.replace('{{preview}}', preview))
}

/** Streams what happens as one JSON line each. */
async function sendAnswer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const message = await text(request)
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  for await (const happening of chat.say(message)) response.write(`${JSON.stringify(happening)}\n`)
  response.end()
}

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'GET' && request.url === '/') await sendPage(response)
    else if (request.method === 'POST' && request.url === '/chat') await sendAnswer(request, response)
    else response.writeHead(404).end()
  } catch (error) {
    console.error(error)
    const words = error instanceof PreviewdError ? error.detail : 'The platform failed.'
    if (response.headersSent) response.destroy()
    else response.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(words)
  }
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Chat at http://localhost:${(server.address() as AddressInfo).port}/`)
})
