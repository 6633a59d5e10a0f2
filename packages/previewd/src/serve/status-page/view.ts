import type { InstallProgress } from '../../model/environment.ts'
import type { ProjectState } from '../../model/status.ts'
import { escapeHtml } from './escape-html.ts'
import type { ViewerProblem, ViewerStatus } from './viewer-status.ts'

/** What the page shows for a status; `html` is one `<main>` element with everything in it escaped. */
export interface StatusView {
  title: string
  heading: string
  html: string
}

type StepState = 'done' | 'now' | 'todo' | 'failed'

const WORDS: Record<ProjectState, { heading: string; lead: string }> = {
  empty: {
    heading: 'Waiting for files',
    lead: 'The project is there and has no files yet. The preview appears here as soon as they arrive.',
  },
  queued: {
    heading: 'Waiting for a free builder',
    lead: 'The build starts in a moment. The preview appears here by itself.',
  },
  installing: { heading: 'Installing dependencies', lead: 'The preview appears here by itself.' },
  building: { heading: 'Building the preview', lead: 'It appears here by itself in a moment.' },
  ready: { heading: 'Opening the preview', lead: 'It is built and about to appear.' },
  error: { heading: 'The build failed', lead: 'The preview appears here by itself once a build succeeds.' },
}

/** Lays out a status as HTML: the steps while something happens, the problems when it failed. */
export function renderStatus(status: ViewerStatus): StatusView {
  const words = WORDS[status.state]
  const body = status.state === 'error' ? problemsHtml(status) : stepsHtml(status)
  const wide = status.problems.length > 0 ? ' class="wide"' : ''
  return {
    title: `${words.heading} · ${status.project}`,
    heading: words.heading,
    html:
      `<main${wide}><p class="name">${escapeHtml(status.project)}</p>` +
      `<h1>${words.heading}</h1><p class="lead">${words.lead}</p>${body}</main>`,
  }
}

function stepsHtml(status: ViewerStatus): string {
  const order: ProjectState[] = ['empty', 'queued', 'installing', 'building', 'ready']
  const reached = order.indexOf(status.state)
  const stateOf = (from: number, to: number): StepState =>
    reached > to ? 'done' : reached >= from ? 'now' : 'todo'
  const revision = status.revision > 0 ? `revision ${status.revision}` : ''
  return (
    '<ol class="steps">' +
    step(stateOf(0, 0), 'Files', revision) +
    step(stateOf(1, 1), 'Queue', '') +
    step(stateOf(2, 2), 'Dependencies', countText(status.progress), progressHtml(status.progress)) +
    step(stateOf(3, 3), 'Build', '') +
    step(stateOf(4, 4), 'Preview', '') +
    '</ol>'
  )
}

function step(state: StepState, label: string, count: string, extra = ''): string {
  const current = state === 'now' ? ' aria-current="step"' : ''
  return (
    `<li class="${state}"${current}><span class="dot" aria-hidden="true"></span><span>${label}</span>` +
    `<span class="count">${escapeHtml(count)}</span>${extra}</li>`
  )
}

function countText(progress: InstallProgress | undefined): string {
  if (progress === undefined) return ''
  if (progress.done === 0) return progress.phase
  const count = progress.total === undefined ? `${progress.done}` : `${progress.done} of ${progress.total}`
  return `${progress.phase} ${count} packages`
}

function progressHtml(progress: InstallProgress | undefined): string {
  if (progress?.total === undefined || progress.total <= 0) return ''
  const done = Math.min(progress.done, progress.total)
  return `<progress max="${progress.total}" value="${done}" aria-label="Packages installed"></progress>`
}

function problemsHtml(status: ViewerStatus): string {
  if (!status.editor) return '<p class="foot">Its editors can see what went wrong.</p>'
  if (status.problems.length === 0) return '<p class="foot">The build log says what went wrong.</p>'
  const more = status.moreProblems === 0 ? '' : `<p class="foot">And ${status.moreProblems} more.</p>`
  return status.problems.map(problemHtml).join('') + more
}

function problemHtml(problem: ViewerProblem): string {
  const where =
    problem.location === undefined ? '' : `<span class="where">${escapeHtml(problem.location)}</span>`
  const frame =
    problem.frame === undefined
      ? ''
      : `<pre tabindex="0" aria-label="Source">${frameHtml(problem.frame)}</pre>`
  const hint =
    problem.hint === undefined ? '' : `<p class="hint"><b>To mend it:</b> ${escapeHtml(problem.hint)}</p>`
  const what = `<p class="what">${escapeHtml(problem.message)}</p>`
  return `<section class="problem"><header>${where}${what}</header>${frame}${hint}</section>`
}

/** The line that compilers point at begins with `>`, or has a row of `^` below it. */
const POINTED_AT = /^\s*>|^[\s|]*\^[\s^~]*$/

function frameHtml(frame: string): string {
  const lines = frame.replace(/\s+$/, '').split('\n')
  return lines
    .map((line) => `<span${POINTED_AT.test(line) ? ' class="hit"' : ''}>${escapeHtml(line)}</span>`)
    .join('')
}
