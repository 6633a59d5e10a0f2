import type { Command } from 'commander'
import { type CommandLine, type ServerOptions, serverCommand, withServer } from './command-line.ts'

/** `previewd rm PROJECT...`: projects with everything that is theirs. */
export function rmCommand(line: CommandLine): Command {
  return serverCommand('rm')
    .description('delete projects: files, builds and previews')
    .argument('<project...>')
    .action((projects: string[], options: ServerOptions) =>
      withServer(line, options, async ({ client, print }) => {
        for (const project of projects) {
          await client.json(`/v1/projects/${encodeURIComponent(project)}`, { method: 'DELETE' })
        }
        print({ deleted: projects }, () => `deleted ${projects.join(', ')}`)
      }),
    )
}
