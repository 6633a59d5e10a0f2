import type { Command } from 'commander'
import type { ProjectStatus } from '../model/status.ts'
import { type CommandLine, type ServerOptions, serverCommand, withServer } from './command-line.ts'
import { formatDiagnostics } from './diagnostics.ts'
import { formatMs, table } from './terminal.ts'

/** `previewd status PROJECT`: how far it is and what is wrong. */
export function statusCommand(line: CommandLine): Command {
  return serverCommand('status')
    .description('show how far a project is, and what is wrong with it')
    .argument('<project>')
    .action((project: string, options: ServerOptions) =>
      withServer(line, options, async ({ client, terminal, print }) => {
        const status = await client.json<ProjectStatus>(`/v1/projects/${encodeURIComponent(project)}/status`)
        print(status, () => `${table(rows(status))}${formatDiagnostics(terminal.out, status.diagnostics)}`)
      }),
    )
}

function rows({ state, revision, build, published, urls, timings }: ProjectStatus): string[][] {
  const took = Object.entries(timings).map(([name, ms]) => `${name.replace('Ms', '')} ${formatMs(ms)}`)
  return [
    ['state', state],
    ['revision', `${revision}`],
    ['build', build ? `${build.id} of revision ${build.revision}: ${build.state}` : 'none'],
    ['published', published ? `${published.buildId} of revision ${published.revision}` : 'none'],
    ...(took.length > 0 ? [['took', took.join(', ')]] : []),
    ['preview', urls.preview],
  ]
}
