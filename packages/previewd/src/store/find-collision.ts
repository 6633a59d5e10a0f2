/**
 * A sentence about the first two paths that cannot be beside each other in every file system: equal but for case or
 * for how accents are composed, or one a file where the other needs a folder. Undefined where there are none.
 */
export function findCollision(paths: Iterable<string>): string | undefined {
  const files = new Map<string, string>()
  for (const path of paths) {
    const key = fold(path)
    const other = files.get(key)
    if (other !== undefined) {
      return `"${other}" and "${path}" are the same name in file systems that ignore case or Unicode composition.`
    }
    files.set(key, path)
  }
  const folders = new Set<string>()
  for (const [key, path] of files) {
    for (let slash = key.lastIndexOf('/'); slash !== -1; slash = key.lastIndexOf('/', slash - 1)) {
      const folder = key.slice(0, slash)
      if (folders.has(folder)) break
      const file = files.get(folder)
      if (file !== undefined) return `"${file}" is a file, and "${path}" needs a folder of that name.`
      folders.add(folder)
    }
  }
  return undefined
}

function fold(path: string): string {
  return path.normalize('NFC').toLowerCase().normalize('NFC')
}
