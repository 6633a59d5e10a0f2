export interface ReceivedEvent {
  event?: string
  id?: string
  data?: unknown
  retry?: string
}

/** The events of a text/event-stream as they come; comments are left out. */
export async function* readEvents(response: Response): AsyncGenerator<ReceivedEvent> {
  if (!response.body) throw new Error('There is no body')
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end)
      text = text.slice(end + 2)
      const fields = block
        .split('\n')
        .filter((line) => !line.startsWith(':'))
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const)
      const event = Object.fromEntries(fields) as Record<string, string>
      yield { ...event, ...(event.data !== undefined && { data: JSON.parse(event.data) as unknown }) }
    }
  }
}

export async function takeEvents(response: Response, count: number): Promise<ReceivedEvent[]> {
  const taken: ReceivedEvent[] = []
  for await (const event of readEvents(response)) {
    if (event.event !== undefined) taken.push(event)
    if (taken.length === count) break
  }
  return taken
}
