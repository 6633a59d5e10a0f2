import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config.ts'
import type { SourceOwner, SourceRequest } from '../../src/model/source.ts'
import { createSources } from '../../src/source/sources.ts'

const REGISTRY = { PREVIEWD_REGISTRY: 'http://registry.invalid/', PREVIEWD_AZURE_ACCOUNT: 'account' }

function sources(places: string) {
  return createSources(resolveConfig({ ...REGISTRY, PREVIEWD_SOURCES: places }))
}

const owner = (more: Partial<SourceOwner> = {}): SourceOwner => ({ id: 'demo', isTrusted: false, ...more })

function prefixOf(places: string, asked: Partial<SourceRequest>, more: Partial<SourceOwner> = {}): unknown {
  return sources(places).resolve({ kind: 'azure-blob', ...asked } as SourceRequest, owner(more))
}

describe('a place that the operator names', () => {
  it.each([
    ['azure-blob:projects', { container: 'projects', prefix: 'demo/frontend/' }],
    ['azure-blob:projects/v2/{projectId}/', { container: 'projects', prefix: 'v2/demo/' }],
    ['azure-blob:first/{projectId}/x/,azure-blob:second', { container: 'first', prefix: 'demo/x/' }],
  ])('gives a project its prefix: %s', (places, expected) => {
    expect(prefixOf(places, {})).toEqual({ kind: 'azure-blob', ...expected })
  })

  it.each([
    'azure-blob',
    'azure:projects',
    'azure-blob:Projects',
    'azure-blob:projects/shared/',
    'azure-blob:projects/{projectId}',
    'azure-blob:projects/p-{projectId}/',
    'azure-blob:projects/{projectid}/',
    's3:../etc',
  ])('is refused at the start where it is not written as it should be: %s', (places) => {
    expect(() => sources(places)).toThrow(/PREVIEWD_SOURCES/)
  })

  it('is refused at the start where no account of Azure is set', () => {
    const { PREVIEWD_AZURE_ACCOUNT: _, ...rest } = REGISTRY
    const config = resolveConfig({ ...rest, PREVIEWD_SOURCES: 'azure-blob:projects' })
    expect(() => createSources(config)).toThrow(/PREVIEWD_AZURE_CONNECTION_STRING/)
  })

  it('is followed by the external id only where it says so, and only where that can be a folder', () => {
    const places = 'azure-blob:projects/{externalId}/web/'
    expect(sources(places).followExternalId).toBe(true)
    expect(sources('azure-blob:projects').followExternalId).toBe(false)
    expect(prefixOf(places, {}, { externalId: 'Team 7:a' })).toMatchObject({ prefix: 'Team 7:a/web/' })
    for (const externalId of [undefined, 'a/b', '..', '.', 'a\\b', 'a\0'])
      expect(() => prefixOf(places, {}, { externalId })).toThrow(/externalId/)
  })
})

describe('a prefix that a client names', () => {
  const places = 'azure-blob:projects,azure-blob:projects/archive/{projectId}/'

  it.each([
    ['demo/frontend/', 'demo/frontend/'],
    ['demo/frontend/app', 'demo/frontend/app/'],
    ['archive/demo/2024/', 'archive/demo/2024/'],
  ])("may be the project's own or below it: %s", (prefix, expected) => {
    expect(prefixOf(places, { prefix })).toMatchObject({ prefix: expected })
  })

  it.each(['', '/', 'demo', 'demo2/frontend/', 'demo/frontend/../../other/', 'archive/', 'archive/demo2/'])(
    'may be no other: %j',
    (prefix) => {
      expect(() => prefixOf(places, { prefix })).toThrow(/not that of this project/)
    },
  )

  it('may be any in a named container for whoever administers the server, and no other container', () => {
    expect(prefixOf(places, { prefix: 'shared' }, { isTrusted: true })).toMatchObject({ prefix: 'shared/' })
    expect(() => prefixOf(places, { container: 'other', prefix: 'x/' }, { isTrusted: true })).toThrow(
      /PREVIEWD_SOURCES/,
    )
  })
})
