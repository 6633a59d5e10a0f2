import { Command } from 'commander'
import type { CommandLine, Finding } from './command-line.ts'
import { EXIT } from './failure.ts'
import { paint, printLine, type Terminal } from './terminal.ts'

/** `previewd doctor`: what this machine has and lacks. */
export function doctorCommand(line: CommandLine): Command {
  return new Command('doctor')
    .description('look at this machine and explain what is missing: exit code 1 where something is')
    .option('--json', 'print the findings as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { terminal } = line
      const findings = await line.inspectMachine()
      if (findings.some(({ ok }) => !ok)) line.setExitCode(EXIT.failed)
      printLine(terminal, json ? JSON.stringify(findings, null, 2) : listing(terminal.out, findings))
    })
}

function listing(out: Terminal['out'], findings: readonly Finding[]): string {
  const marks = {
    good: paint(out, 'green', '✓'),
    warning: paint(out, 'yellow', '!'),
    error: paint(out, 'red', '✗'),
  }
  return findings.map(({ level, name, detail }) => `${marks[level]} ${name}: ${detail}`).join('\n')
}
