/** Something that set-up cannot mend by itself. Its message is one sentence that says what to run. */
export class SetupProblem extends Error {}

/** Ends the script: a problem as its one sentence, anything else (a mistake of ours) with its stack. */
export function fail(error) {
  console.error(error instanceof SetupProblem ? `\n${error.message}` : error)
  process.exit(1)
}
