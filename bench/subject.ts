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
  /** A component, and words of it that a live edit replaces; they are not those of `text`. */
  component: { file: string; words: string }
}

export function subjects(): Subject[] {
  return [
    {
      name: 'react-ts',
      title: 'the react-ts template',
      files: templateFiles('react-ts'),
      edited: 'src/main.tsx',
      text: /get started/i,
      component: { file: 'src/App.tsx', words: 'Count is' },
    },
    {
      name: 'ai-builder',
      title: 'the AI-builder app',
      files: fixtureFiles('ai-builder'),
      edited: 'src/main.tsx',
      text: /Calm sea today/,
      component: { file: 'src/components/overview/Welcome.tsx', words: 'The boat leaves at six.' },
    },
  ]
}

/** An app that a server renders, with a server of its own beside Vite. */
export function serverRendered(): Subject {
  return {
    name: 'tanstack-start',
    title: 'a TanStack Start app',
    files: fixtureFiles('tanstack-start'),
    edited: 'src/router.tsx',
    text: /Greetings from linux/,
    component: { file: 'src/routes/index.tsx', words: 'The words of this page.' },
  }
}

/** The edited file of a run: its content and a line that no other run has. */
export function edit(subject: Subject, run: string): Files {
  const content = subject.files[subject.edited]
  if (typeof content !== 'string') throw new Error(`${subject.edited} is not text`)
  return { [subject.edited]: `${content}\nconsole.debug(${JSON.stringify(run)})\n` }
}

/** The component with other words. */
export function editText({ files, component }: Subject, words: string): Files {
  const content = files[component.file]
  if (typeof content !== 'string') throw new Error(`${component.file} is not text`)
  if (!content.includes(component.words)) throw new Error(`${component.file} has no "${component.words}"`)
  return { [component.file]: content.replace(component.words, words) }
}
