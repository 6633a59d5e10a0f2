import { ensureAppArmorProfile } from './apparmor.mjs'
import { aptInstall } from './apt.mjs'
import { find } from './command.mjs'

/** Installs bubblewrap where it is missing, and lets it make user namespaces where the system forbids that. */
export async function ensureBubblewrap() {
  if (!find('bwrap')) await aptInstall(['bubblewrap'])
  await ensureAppArmorProfile(find('bwrap'))
}
