import { posix } from 'node:path'
import type { DevTask, LogLine, Task, TaskOutcome } from '../model/worker.ts'
import type { CheckedMessage } from './child-message.ts'
import { ProtocolError, type ServeRequest, type TaskRequest } from './protocol.ts'

type TaskMessage = Extract<CheckedMessage, { type: 'log' | 'log-cut' | 'task-end' }>
export type TaskEnd = Extract<CheckedMessage, { type: 'task-end' }>

interface RunningTask {
  onLog: (line: LogLine) => void
  logBytes: number
  cut: boolean
  finish: (outcome: TaskOutcome) => void
}

/** The child stops at the limit by itself; one that does not is cut off a little above it. */
const LOG_SLACK_BYTES = 256 * 1024
/** Its own default; nothing else listens inside. */
const VITE_PORT = 5173

/** The tasks that run in one worker, and what they may say. */
export class RunningTasks {
  readonly #logBytes: number
  readonly #outcomeOf: (end: TaskEnd) => Promise<TaskOutcome>
  readonly #running = new Map<number, RunningTask>()

  constructor(logBytes: number, outcomeOf: (end: TaskEnd) => Promise<TaskOutcome>) {
    this.#logBytes = logBytes
    this.#outcomeOf = outcomeOf
  }

  begin(id: number, onLog: (line: LogLine) => void): Promise<TaskOutcome> {
    return new Promise((finish) => {
      this.#running.set(id, { onLog, logBytes: 0, cut: false, finish })
    })
  }

  /** A task that could not be sent. */
  finish(id: number, outcome: TaskOutcome): void {
    this.#running.get(id)?.finish(outcome)
    this.#running.delete(id)
  }

  finishAll(outcome: TaskOutcome): void {
    for (const id of [...this.#running.keys()]) this.finish(id, outcome)
  }

  receive(message: TaskMessage): void {
    const task = this.#running.get(message.id)
    if (!task) throw new ProtocolError('words of no task')
    if (message.type === 'task-end') {
      this.#running.delete(message.id)
      void this.#outcomeOf(message).then(task.finish)
    } else if (message.type === 'log-cut') {
      if (task.cut) throw new ProtocolError('a second end of a log')
      task.cut = true
      const text = `The log is longer than ${this.#logBytes} bytes; the rest is dropped.`
      task.onLog({ stream: 'stderr', text })
    } else {
      for (const text of message.lines) {
        // A line without text costs the reader as well.
        task.logBytes += text.length + 1
        task.onLog({ stream: message.stream, text })
      }
      if (task.logBytes > this.#logBytes + LOG_SLACK_BYTES) throw new ProtocolError('too long a log')
    }
  }
}

export function toRequest(task: Task): TaskRequest {
  if (task.kind === 'vite-build') {
    return { kind: 'vite-build', cwd: inApp(task.root), options: task.options, env: task.env }
  }
  const cwd = inApp(task.cwd)
  if (task.kind === 'exec') return { kind: 'exec', file: task.file, args: task.args, cwd, env: task.env }
  return { kind: 'exec', file: '/bin/sh', args: ['-c', task.command], cwd, env: task.env }
}

export function toServeRequest(task: DevTask, revision: number): ServeRequest {
  const { env } = task
  if (task.kind === 'vite-dev') {
    const { kind, root, ...rest } = task
    return { kind, cwd: inApp(root), port: VITE_PORT, ...rest, revision }
  }
  return { kind: 'command-dev', cwd: inApp(task.cwd), port: task.port, env, command: task.command }
}

/** Folders of tasks are relative to /app, or absolute inside the sandbox. */
export function inApp(folder: string): string {
  return posix.resolve('/app', folder)
}
