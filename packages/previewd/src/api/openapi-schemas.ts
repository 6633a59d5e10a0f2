import type { jsonSchemaTransformObject } from 'fastify-type-provider-zod'

type Document = ReturnType<typeof jsonSchemaTransformObject>

const REFERENCE = '#/components/schemas/'

/**
 * The type provider gives every named schema twice, as input (`ThingInput`) and output (`Thing`). Keeps those that are
 * used, and gives an input its plain name where no output has it.
 */
export function withUsedSchemas(document: Document): Document {
  const { schemas = {}, ...components } = ('components' in document && document.components) || {}
  const used = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, member] of Object.entries(value)) {
      if (key !== '$ref' || typeof member !== 'string' || !member.startsWith(REFERENCE)) visit(member)
      else if (!used.has(member.slice(REFERENCE.length))) {
        used.add(member.slice(REFERENCE.length))
        visit(schemas[member.slice(REFERENCE.length) as keyof typeof schemas])
      }
    }
  }
  visit('paths' in document && document.paths)

  const kept = Object.entries(schemas).filter(([name]) => used.has(name))
  let text = JSON.stringify({ ...document, components: { ...components, schemas: Object.fromEntries(kept) } })
  for (const name of used) {
    const plain = name.replace(/Input$/, '')
    if (plain === name || used.has(plain)) continue
    text = text
      .replaceAll(`"${REFERENCE}${name}"`, `"${REFERENCE}${plain}"`)
      .replaceAll(`"${name}":`, `"${plain}":`)
  }
  return JSON.parse(
    text.replaceAll('/files/{*}"', '/files/{path}"').replaceAll('"name":"*"', '"name":"path"'),
  )
}
