import type { ProjectStatus } from '../model/status.ts'
import type { CommandLine, Session } from './command-line.ts'
import { formatDiagnostics } from './diagnostics.ts'
import { EXIT } from './failure.ts'
import { formatBytes, formatMs, paint, type Terminal } from './terminal.ts'

/** Prints how a build ended; a build that did not succeed is exit code 1. */
export function printOutcome(line: CommandLine, session: Session, status: ProjectStatus): void {
  if (status.build?.state !== 'succeeded') line.setExitCode(EXIT.failed)
  session.print(status, () => {
    const problems = formatDiagnostics(session.terminal.out, status.diagnostics).trimStart()
    return `${problems}${problems && '\n\n'}${verdict(session.terminal.out, status)}`
  })
}

function verdict(out: Terminal['out'], { build, published, urls }: ProjectStatus): string {
  if (build?.state === 'succeeded') {
    const size = build.artifact ? `, ${build.artifact.files} files, ${formatBytes(build.artifact.bytes)}` : ''
    return `${paint(out, 'green', '✓')} built in ${formatMs(build.durationMs ?? 0)}${size}\n${urls.preview}`
  }
  const state = (build?.state ?? 'failed').replace('_', ' ')
  const old = published ? `; viewers still see revision ${published.revision}: ${urls.preview}` : ''
  return `${paint(out, 'red', '✗')} build ${state}${old}`
}
