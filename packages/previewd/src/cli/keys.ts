import { Command, Option } from 'commander'
import type { ApiKey, KeyScope } from '../model/store.ts'
import { type CommandLine, type ServerOptions, serverCommand, withServer } from './command-line.ts'
import { CommandFailure, EXIT } from './failure.ts'
import { table } from './terminal.ts'

interface CreateOptions extends ServerOptions {
  scope: KeyScope['kind']
  project?: string
}

/** `previewd keys create|ls|rm`. */
export function keysCommand(line: CommandLine): Command {
  return new Command('keys')
    .description('make, list and delete API keys')
    .addCommand(createKeyCommand(line))
    .addCommand(listKeysCommand(line))
    .addCommand(deleteKeyCommand(line))
}

function createKeyCommand(line: CommandLine): Command {
  return serverCommand('create')
    .description('make a key; it is shown this once')
    .argument('<name>', 'what the key is for')
    .addOption(
      new Option('--scope <scope>', 'what it may do').choices(['admin', 'read', 'project']).default('admin'),
    )
    .option('--project <id>', 'the project of a key with --scope project')
    .action((name: string, options: CreateOptions) =>
      withServer(line, options, async ({ client, print }) => {
        const body = { name, scope: scopeOf(options) }
        const made = await client.json<ApiKey & { key: string }>('/v1/keys', { method: 'POST', body })
        print(made, () => made.key)
      }),
    )
}

function scopeOf({ scope, project }: CreateOptions): KeyScope {
  if (scope !== 'project') return { kind: scope }
  if (project) return { kind: 'project', project }
  throw new CommandFailure(EXIT.usage, 'A key with --scope project needs --project.')
}

function listKeysCommand(line: CommandLine): Command {
  return serverCommand('ls')
    .description('list the keys')
    .action((options: ServerOptions) =>
      withServer(line, options, async ({ client, print }) => {
        const page = await client.json<{ items: ApiKey[] }>('/v1/keys')
        print(page, () => listing(page.items))
      }),
    )
}

function listing(keys: readonly ApiKey[]): string {
  if (keys.length === 0) return 'no keys'
  const rows = keys.map(({ id, name, scope, lastUsedAt }) => [
    id,
    name,
    scope.kind === 'project' ? `project ${scope.project}` : scope.kind,
    lastUsedAt ?? 'never',
  ])
  return table([['ID', 'NAME', 'SCOPE', 'LAST USED'], ...rows])
}

function deleteKeyCommand(line: CommandLine): Command {
  return serverCommand('rm')
    .description('delete a key: it stops working at once')
    .argument('<id>')
    .action((id: string, options: ServerOptions) =>
      withServer(line, options, async ({ client, print }) => {
        await client.json(`/v1/keys/${encodeURIComponent(id)}`, { method: 'DELETE' })
        print({ deleted: id }, () => `deleted ${id}`)
      }),
    )
}
