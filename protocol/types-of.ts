/** JSON Schema as the server writes it: what zod makes of its schemas. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  description?: string
}

const HEAD = `// Generated from the server's schemas by "npm run protocol". What is wanted otherwise is changed there.
`

/** A TypeScript module with a type for every named schema of the document. */
export function typesOf(document: { components: { schemas: Record<string, Schema> } }): string {
  const types = Object.entries(document.components.schemas)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, schema]) => `${comment(schema, '')}export type ${name} = ${typeOf(schema, '')}\n`)
  return [HEAD, ...types].join('\n')
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref) return schema.$ref.split('/').at(-1) as string
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum) return schema.enum.map(literal).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.map((choice) => typeOf(choice, indent)).join(' | ')
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(' | ')
  }
  switch (schema.type) {
    case 'object':
      return objectType(schema, indent)
    case 'array':
      return arrayType(typeOf(schema.items ?? {}, indent))
    case 'integer':
      return 'number'
    case 'number':
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    default:
      return 'unknown'
  }
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

function arrayType(item: string): string {
  return /^\w+$/.test(item) ? `${item}[]` : `Array<${item}>`
}

function objectType(
  { properties = {}, required = [], additionalProperties }: Schema,
  indent: string,
): string {
  const inner = `${indent}  `
  const members = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : '?'
    return `${comment(schema, inner)}${inner}${name}${mark}: ${typeOf(schema, inner)}\n`
  })
  if (members.length === 0) {
    return typeof additionalProperties === 'object'
      ? `Record<string, ${typeOf(additionalProperties, indent)}>`
      : 'Record<string, unknown>'
  }
  // Only an empty schema says that other members may be there: answers leave out what they do not say.
  const isOpen = typeof additionalProperties === 'object'
  return `{\n${members.join('')}${isOpen ? `${inner}[name: string]: unknown\n` : ''}${indent}}`
}

function comment({ description }: Schema, indent: string): string {
  return description ? `${indent}/** ${description} */\n` : ''
}
