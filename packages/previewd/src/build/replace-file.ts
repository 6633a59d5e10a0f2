import { rename, writeFile } from 'node:fs/promises'

/** Gives a file new content that readers see whole. One writer at a time. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode: 0o644 })
  await rename(temporary, file)
}
