import { asFault, innermostMessage, startDetail, startLine } from '#faults';
import { noteAddress } from '#folder';
import { openHttp } from '#http';
import { readHubSettings, readLanguage, readTerminal } from '#settings';
import type { DynamicModule, Type } from '@nestjs/common';
import { setFlagsFromString } from 'node:v8';
import type { Core } from './core.js';
import { CORE } from './tokens.js';

/** What a hub process sends to its launcher over the process channel. */
type LauncherMessage =
  /** Without adminKeyFile: an admin key exists, but not in this data folder. */
  | { readonly kind: 'ready'; readonly url: string; readonly adminKeyFile?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

function sendToLauncher(message: LauncherMessage): void {
  if (process.connected) process.send?.(message);
}

async function start(module: Type | DynamicModule): Promise<void> {
  const { port, host, trustProxy, keepAliveMs } = readHubSettings();
  const http = await openHttp(module, { port, host, trustProxy, keepAliveMs });
  const { logger, settings, adminKey, processEnd } = http.app.get<Core>(CORE, { strict: false });
  const end = (code: 0 | 1): void => void http.close().then(() => process.exit(code));
  processEnd.onFailure(() => end(1));
  // A closed channel means that the launcher has ended, and nobody else would stop this process.
  process.once('disconnect', () => end(0));
  logger.info({ url: http.url, engine: settings.engine }, 'ready');
  noteAddress(settings.dataDir, http.url);
  const { path } = adminKey;
  if (path === undefined) logger.info({}, 'an admin key exists, not in this data folder: simpul key reset-admin');
  sendToLauncher({ kind: 'ready', url: http.url, ...(path === undefined ? {} : { adminKeyFile: path }) });
}

/**
 * The old generation grows to three times what is alive before it is collected again. By its own measure V8 collected 60 MB twice a second beside long dry
 * runs, to free 30 MB: each time publishing waited for 15 ms, and shared its core with the collector for 70.
 *
 * Pretenuring: V8 makes the objects of a place in the code in its old generation once most of them have lived for a while there, such as the events of large
 * pages. What they point to then survives each scavenge with them, although both are garbage at once. So it is off: half of what is read was copied twice
 * and waited for a collection of the whole heap.
 */
function setUpHeap(): void {
  setFlagsFromString('--heap-growing-percent=200');
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * Runs a hub process: the root module imports CoreModule and the modules of its roles. A failure at start is one line on standard error and a message
 * to the launcher, then the exit code is 1. SIGTERM and SIGINT drain, then the exit code is 0.
 */
export async function runHub(module: Type | DynamicModule): Promise<void> {
  // Keys, events and state in the data folder are readable by this user only.
  process.umask(0o077);
  setUpHeap();
  try {
    await start(module);
  } catch (e) {
    const portTaken = (e as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const fault = asFault(e);
    const code = portTaken ? 'port_taken' : fault.code;
    const cause = fault.cause === undefined || portTaken ? '' : innermostMessage(fault.cause);
    const language = readLanguage();
    const known = portTaken ? '' : startDetail(fault, language);
    const detail = known === '' ? cause : cause === '' || known.includes(cause) ? known : `${known} (${cause})`;
    process.stderr.write(`✗ ${code}: ${startLine(code, detail, language, readTerminal().engine)}\n`);
    if (fault.code === 'internal' && !portTaken) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`);
    sendToLauncher({ kind: 'failed', code, detail });
    process.exit(1);
  }
}
