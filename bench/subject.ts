import { type Files, fixtureFiles, templateFiles } from '../packages/previewd/test/e2e/project-files.ts'

/** A project to measure with. */
export interface Subject {
  name: string
  title: string
  files: Files
  /** The file that every run edits, so that no run finds its own result. */
  edited: string
  /** Text that is on the page once it has rendered. */
  text: RegExp
}

export function subjects(): Subject[] {
  return [
    {
      name: 'react-ts',
      title: 'the react-ts template',
      files: templateFiles('react-ts'),
      edited: 'src/main.tsx',
      text: /get started/i,
    },
    {
      name: 'ai-builder',
      title: 'the AI-builder app',
      files: fixtureFiles('ai-builder'),
      edited: 'src/main.tsx',
      text: /Calm sea today/,
    },
  ]
}

/** The edited file of a run: its content and a line that no other run has. */
export function edit(subject: Subject, run: string): Files {
  const content = subject.files[subject.edited]
  if (typeof content !== 'string') throw new Error(`${subject.edited} is not text`)
  return { [subject.edited]: `${content}\nconsole.debug(${JSON.stringify(run)})\n` }
}
