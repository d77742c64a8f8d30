import { asFault, innermostMessage, startLine } from '#faults';
import { EDGE, HEALTH_DOOR, HealthController, openHttp, type Door, type EdgeParts } from '#http';
import { SimpulServer, type EventSource } from '#nest-kit';
import { readHubSettings, readLanguage } from '#settings';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { openCore, type Core } from './core.js';
import { coreHealth } from './health.js';
import { LifeModule } from './life.js';

/** What a role adds to its process. */
export interface OpenRole {
  readonly doors?: readonly Door[];
  /** Batches for the handlers of `module`; read once HTTP listens. */
  readonly source?: EventSource;
  readonly module?: DynamicModule;
  close(): Promise<void>;
}
export interface HubRole {
  readonly name: string;
  open(core: Core): Promise<OpenRole>;
}

export interface HubApp {
  /** As in log lines and metrics. */
  readonly name: string;
  readonly roles: readonly HubRole[];
  readonly module: (imports: DynamicModule[]) => Type | DynamicModule;
}

type News =
  /** Without a file: an admin key exists, but not in this folder. */
  | { readonly kind: 'ready'; readonly url: string; readonly adminKeyFile?: string }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

@Module({})
class RootModule {}

/** A launcher may listen; a person reads standard error. */
function tell(news: News): void {
  if (process.connected) process.send?.(news);
}

async function start(app: HubApp): Promise<void> {
  const settings = readHubSettings();
  const core = await openCore(settings, app.name);
  const closers: (() => Promise<void>)[] = [() => core.close()];
  try {
    const roles: OpenRole[] = [];
    for (const role of app.roles) {
      const open = await role.open(core);
      roles.push(open);
      closers.unshift(() => open.close());
    }
    const edge: EdgeParts = {
      doors: roles.flatMap((role) => role.doors ?? []),
      authenticate: (header) => core.access.authenticate(header),
      log: core.logger,
      report: {
        refused: (code) => core.metrics.httpRefused.inc({ code }),
        live: (open) => core.metrics.liveReaders.set(open),
      },
    };
    const parts = [LifeModule.closing(closers), ...roles.flatMap((role) => role.module ?? [])];
    const http = await openHttp(
      {
        module: RootModule,
        imports: [app.module(parts)],
        controllers: [HealthController],
        providers: [
          { provide: EDGE, useValue: edge },
          { provide: HEALTH_DOOR, useValue: coreHealth(core) },
        ],
      },
      { port: settings.port, host: settings.host },
    );
    for (const { source } of roles) {
      if (source === undefined) continue;
      const onEnd = (cause: unknown): void => {
        core.logger.error({ cause: innermostMessage(cause) }, 'a role ended, so this process ends');
        void http.close().then(() => process.exit(1));
      };
      http.app.connectMicroservice({ strategy: new SimpulServer({ source, onEnd }) }, { inheritAppConfig: true });
    }
    await http.app.startAllMicroservices();
    // The launcher is gone, however it ended: nobody would ever stop this process.
    process.once('disconnect', () => {
      void http.close().then(() => process.exit(0));
    });
    core.logger.info({ url: http.url, engine: settings.engine, roles: app.roles.map((role) => role.name) }, 'ready');
    const { path } = core.adminKey;
    if (path === undefined)
      core.logger.info({}, 'an admin key exists, not in this data folder: simpul key reset-admin');
    tell({ kind: 'ready', url: http.url, ...(path === undefined ? {} : { adminKeyFile: path }) });
  } catch (e) {
    for (const close of closers) await close().catch(() => undefined);
    throw e;
  }
}

/** Starts a hub process and answers for its end: any failure at start is one line, told to the launcher, exit code 1. */
export async function runHub(app: HubApp): Promise<void> {
  // Keys, events and state of the data folder are for this user alone.
  process.umask(0o077);
  try {
    await start(app);
  } catch (e) {
    const taken = (e as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const fault = asFault(e);
    const code = taken ? 'port_taken' : fault.code;
    const cause = fault.cause === undefined || taken ? '' : innermostMessage(fault.cause);
    const known = taken ? '' : (fault.detail ?? '');
    const detail = known === '' ? cause : cause === '' || known.includes(cause) ? known : `${known} (${cause})`;
    process.stderr.write(`✗ ${code}: ${startLine(code, detail, readLanguage())}\n`);
    if (fault.code === 'internal' && !taken) process.stderr.write(`${e instanceof Error ? (e.stack ?? '') : ''}\n`);
    tell({ kind: 'failed', code, detail });
    process.exit(1);
  }
}
