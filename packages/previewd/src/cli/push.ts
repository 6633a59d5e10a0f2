import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import type { AppliedChanges } from '../model/files.ts'
import type { ProjectStatus } from '../model/status.ts'
import {
  type CommandLine,
  type ServerOptions,
  type Session,
  serverCommand,
  withServer,
} from './command-line.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { followBuild } from './follow.ts'
import { printOutcome } from './outcome.ts'
import { listProjectFiles, tarOf } from './project-files.ts'
import { projectIdOf } from './project-id.ts'
import { formatBytes } from './terminal.ts'

interface PushOptions extends ServerOptions {
  project?: string
  wait?: boolean
  replace?: boolean
}

type Answer = AppliedChanges & { project: string; status: ProjectStatus }

/** `previewd push DIR`: a folder's files as one revision. */
export function pushCommand(line: CommandLine): Command {
  return serverCommand('push')
    .description('send the files of a folder as one revision (.gitignore is obeyed)')
    .argument('<dir>', 'the folder of the project')
    .option('--project <id>', "the project's id (default: the folder's name)")
    .option('--wait', 'until it is built: exit code 1 where the build fails')
    .option('--replace', 'delete files of the project that are not in the folder')
    .action(async (dir: string, options: PushOptions) => {
      const root = resolve(dir)
      const project = options.project ?? namedProject(root)
      await withServer(line, options, async (session) => {
        const answer = await upload(session, root, project, options.replace ?? false)
        if (!options.wait) {
          printPushed(session, answer)
          return
        }
        await buildWhereThereIsNone(session, answer)
        printOutcome(
          line,
          session,
          await followBuild(session.client, project, answer.revision, session.progress),
        )
      })
    })
}

function namedProject(root: string): string {
  const id = projectIdOf(root)
  if (id !== undefined) return id
  throw new CommandFailure(EXIT.usage, `"${basename(root)}" makes no project id: give one with --project.`)
}

async function upload(
  { client, progress }: Session,
  root: string,
  project: string,
  replace: boolean,
): Promise<Answer> {
  const found = await stat(root).catch(() => undefined)
  if (!found?.isDirectory()) throw new CommandFailure(EXIT.usage, `${root} is not a folder.`)
  progress.phase('Reading the folder')
  const files = await listProjectFiles(root)
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const noun = files.length === 1 ? 'file' : 'files'
  const phase = `Sending ${files.length} ${noun}, ${formatBytes(sizeBytes)}`
  const content = tarOf(root, files, (at) => progress.phase(phase, `${at + 1} of ${files.length}`))
  return client.json<Answer>(`/v1/projects/${project}/changes`, {
    method: 'POST',
    stream: { type: 'application/x-tar', content },
    query: { replace: replace ? 1 : undefined },
  })
}

/** A push that changed nothing starts no build; the files may never have been built all the same. */
async function buildWhereThereIsNone(
  { client }: Session,
  { project, status, revision }: Answer,
): Promise<void> {
  if (status.build && status.build.revision >= revision) return
  await client.json(`/v1/projects/${project}/builds`, { method: 'POST', body: {} })
}

function printPushed({ print }: Session, answer: Answer): void {
  const { revision, changed, unchanged, status } = answer
  print(
    answer,
    () => `revision ${revision}: ${changed.length} changed, ${unchanged} unchanged\n${status.urls.preview}`,
  )
}
