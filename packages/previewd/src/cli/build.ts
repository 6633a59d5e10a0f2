import type { Command } from 'commander'
import type { Build } from '../model/build.ts'
import { type CommandLine, type ServerOptions, serverCommand, withServer } from './command-line.ts'
import { followBuild } from './follow.ts'
import { printOutcome } from './outcome.ts'

/** `previewd build PROJECT`: builds the current revision and waits for it. */
export function buildCommand(line: CommandLine): Command {
  return serverCommand('build')
    .description('build the current revision and wait for it: exit code 1 where the build fails')
    .argument('<project>')
    .option('--force', 'also where this revision has a build')
    .action((project: string, options: ServerOptions & { force?: boolean }) =>
      withServer(line, options, async (session) => {
        const path = `/v1/projects/${encodeURIComponent(project)}/builds`
        const body = { force: options.force ?? false }
        const build = await session.client.json<Build>(path, { method: 'POST', body })
        printOutcome(
          line,
          session,
          await followBuild(session.client, project, build.revision, session.progress),
        )
      }),
    )
}
