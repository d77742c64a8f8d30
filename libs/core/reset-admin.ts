import { openAccess } from '#access';
import { openDataFolder } from '#folder';
import { readHubSettings } from '#settings';
import { openLogger } from '#telemetry';
import { openUnits } from '#units';
import { openLog } from './engine.js';

/**
 * A new admin key for a deployment whose old one is lost (R11), on the machine of the hub: written to `<data>/admin.key` (0600), every older
 * admin key of the hub revoked, audited. Answers the path. `given` goes before the environment. The embedded engine needs the folder for itself:
 * Fault data_locked while a hub runs. Faults invalid_settings, data_format, log_unavailable.
 */
export async function resetAdminKey(given: Readonly<Record<string, string>> = {}): Promise<string> {
  const settings = readHubSettings(undefined, given);
  const opened: (() => void | Promise<void>)[] = [];
  try {
    if (settings.engine === 'embedded') {
      const folder = openDataFolder(settings.dataDir, 'embedded');
      opened.push(() => folder.release());
    }
    const log = await openLog(settings, openLogger('silent', 'reset-admin'));
    opened.push(() => log.close());
    const units = await openUnits({ log, today: () => new Date().toISOString().slice(0, 10) });
    opened.push(() => units.close());
    const access = await openAccess({ log, units: units.units, parties: new Set(), now: Date.now });
    opened.push(() => access.close());
    return (await access.resetAdmin(settings.dataDir)).path!;
  } finally {
    for (const close of opened.toReversed()) await close();
  }
}
