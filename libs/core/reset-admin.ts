import { openAccess } from '#access';
import { openDataFolder } from '#folder';
import { readHubSettings } from '#settings';
import { Metrics, openLogger } from '#telemetry';
import { openUnits } from '#units';
import { openLog } from './engine.js';

/**
 * Replaces a lost admin key (R11): writes a new one to `<data>/admin.key` (mode 0600), revokes every older admin key of the hub, and writes audit
 * records. Resolves with the path. `given` takes precedence over the environment. Faults invalid_settings, data_format, log_unavailable, and with
 * the embedded engine data_locked while a hub runs.
 */
export async function resetAdminKey(given: Readonly<Record<string, string>> = {}): Promise<string> {
  const settings = readHubSettings(undefined, given);
  await using opened = new AsyncDisposableStack();
  if (settings.engine === 'embedded') {
    const folder = openDataFolder(settings.dataDir, 'embedded');
    opened.defer(() => folder.release());
  }
  const log = opened.adopt(
    await openLog(settings, openLogger('silent', 'reset-admin'), new Metrics('reset-admin')),
    (l) => l.close(),
  );
  const units = opened.adopt(await openUnits({ log, now: Date.now }), (u) => u.close());
  const deps = { log, units: units.units, parties: new Set<string>(), types: () => [], now: Date.now };
  const access = opened.adopt(await openAccess(deps), (a) => a.close());
  return (await access.resetAdmin(settings.dataDir)).path!;
}
