import type { Command } from 'commander'
import type { ProjectState } from '../model/status.ts'
import type { Page } from '../model/store.ts'
import { type CommandLine, type ServerOptions, serverCommand, withServer } from './command-line.ts'
import { table } from './terminal.ts'

interface ListedProject {
  id: string
  state: ProjectState
  revision: number
  activeAt: string
  urls: { preview: string }
}

/** `previewd ls`: the projects, newest activity first. */
export function lsCommand(line: CommandLine): Command {
  return serverCommand('ls')
    .description('list projects, newest activity first')
    .option('--limit <n>', 'at most this many', '50')
    .action((options: ServerOptions & { limit: string }) =>
      withServer(line, options, async ({ client, print }) => {
        const query = { limit: options.limit }
        const page = await client.json<Page<ListedProject>>('/v1/projects', { query })
        print(page, () => listing(page))
      }),
    )
}

function listing({ items, nextCursor }: Page<ListedProject>): string {
  if (items.length === 0) return 'no projects'
  const rows = items.map((item) => [
    item.id,
    item.state,
    `${item.revision}`,
    item.activeAt.slice(0, 16).replace('T', ' '),
    item.urls.preview,
  ])
  const more = nextCursor ? '\nThere are more: give a larger --limit.' : ''
  return `${table([['PROJECT', 'STATE', 'REVISION', 'ACTIVE', 'PREVIEW'], ...rows])}${more}`
}
