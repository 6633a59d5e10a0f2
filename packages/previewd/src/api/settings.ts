import { allows, type Principal } from '../access/principal.ts'
import { PreviewdError } from '../errors.ts'
import type { EnvSet } from '../model/env-set.ts'
import { fittingMajor } from '../model/node-version.ts'
import type { ProjectSettings } from '../model/project.ts'
import { checkProxyRules } from '../model/proxy-rules.ts'
import type { ApiContext } from './context.ts'
import type { SettingsInput } from './schemas/project.ts'

const EGRESS_BY_REACH: readonly ProjectSettings['egress'][] = ['none', 'allowlist', 'public']

/** Checks settings against what this server offers and turns them into the model's; throws a coded error. */
export function resolveSettings(
  context: ApiContext,
  principal: Principal | null,
  id: string,
  { env, envSets, proxy, source, ...input }: SettingsInput,
): Partial<ProjectSettings> {
  if (input.egress && !isAllowed(input.egress, context.config.egress.maximum)) {
    throw invalid('egress', `"${context.config.egress.maximum}" is the most that this server allows`)
  }
  if (input.nodeVersion && fittingMajor(input.nodeVersion, context.config.nodes) === undefined) {
    const { own, others } = context.config.nodes
    throw invalid('nodeVersion', `this server has Node ${[own, ...others].join(', ')}`)
  }
  if (input.externalId !== undefined) {
    const owner = context.projects.findByExternalId(input.externalId)
    if (owner && owner.id !== id) throw invalid('externalId', 'another project has it')
  }
  const isTrusted = principal !== null && allows(principal, 'administer')
  if (input.externalId !== undefined && !isTrusted) checkExternalId(context, id, input.externalId)
  return {
    ...input,
    ...(proxy !== undefined && { proxy: resolveProxy(context, proxy) }),
    ...(env !== undefined && {
      env: resolveEnv(context, 'env', env, context.projects.get(id)?.settings.env),
    }),
    ...(envSets !== undefined && { envSets: resolveEnvSets(context, id, envSets) }),
    ...(source !== undefined && {
      source: context.sources.resolve(source, {
        id,
        externalId: input.externalId ?? context.projects.get(id)?.settings.externalId,
        isTrusted,
      }),
    }),
  }
}

/** Where places follow from external ids, whoever sets one could read the files of another tenant. */
function checkExternalId({ sources, projects }: ApiContext, id: string, externalId: string): void {
  if (!sources.followExternalId || projects.get(id)?.settings.externalId === externalId) return
  throw invalid('externalId', 'on this server it decides where files are read: only the operator sets it')
}

function isAllowed(asked: ProjectSettings['egress'], maximum: ProjectSettings['egress']): boolean {
  return EGRESS_BY_REACH.indexOf(asked) <= EGRESS_BY_REACH.indexOf(maximum)
}

function resolveProxy({ config }: ApiContext, rules: Record<string, string>): Record<string, string> {
  const checked = checkProxyRules(rules, config.proxy.targets)
  if ('problem' in checked) throw invalid(`proxy.${checked.prefix}`, checked.problem)
  return checked.rules
}

function resolveEnvSets(
  context: ApiContext,
  id: string,
  sets: NonNullable<SettingsInput['envSets']>,
): Record<string, EnvSet> {
  const current = context.projects.get(id)?.settings.envSets ?? {}
  const resolved = Object.entries(sets).map(([name, { env, mode }]) => {
    const path = `envSets.${name}.env`
    return [name, { env: resolveEnv(context, path, env, current[name]?.env), ...(mode && { mode }) }]
  })
  return Object.fromEntries(resolved)
}

function resolveEnv(
  { config }: ApiContext,
  path: string,
  env: Record<string, string | null>,
  current: Record<string, string> = {},
): Record<string, string> {
  const resolved = Object.entries(env).map(([name, given]) => {
    if (!name.startsWith('VITE_') && !config.allowedEnv.includes(name)) {
      throw invalid(`${path}.${name}`, 'only VITE_* and the names in PREVIEWD_ALLOWED_ENV can be set')
    }
    const value = given ?? current[name]
    if (value === undefined) throw invalid(`${path}.${name}`, 'null keeps a value, and this name has none')
    return [name, value]
  })
  return Object.fromEntries(resolved)
}

function invalid(path: string, message: string): PreviewdError {
  return new PreviewdError('SETTINGS_INVALID', `${path}: ${message}`, {
    extra: { errors: [{ path, message }] },
  })
}
