import { asFault, innermostMessage, startLine } from '#faults';
import { EDGE, openHttp, type Door, type EdgeParts } from '#http';
import { SimpulServer } from '#nest-kit';
import { readHubSettings, readLanguage } from '#settings';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { openCore } from './core.js';
import { healthOnly } from './doors.js';
import { FoldModule } from './fold.module.js';
import { openGatewayRole } from './gateway.js';
import { LifeModule } from './life.js';
import { openProjectorRole, type ProjectorRole } from './projector.js';

export type HubRole = 'gateway' | 'projector';

/** What the app's root module is made of. */
export interface HubParts {
  /** Import it: closes roles, tables, log and stores after the doors have drained. */
  readonly life: DynamicModule;
  /** Import it where the app folds: the handler of the projector's batches. */
  readonly folds?: DynamicModule;
}

export interface HubApp {
  /** As in log lines and metrics. */
  readonly name: string;
  readonly roles: readonly HubRole[];
  readonly module: (parts: HubParts) => Type | DynamicModule;
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
  const closers: (() => Promise<void>)[] = [];
  let projector: ProjectorRole | undefined;
  let doors: readonly Door[];
  try {
    if (app.roles.includes('projector')) {
      projector = await openProjectorRole(core);
      closers.push(() => projector!.close());
    }
    if (app.roles.includes('gateway')) {
      const gateway = await openGatewayRole(core, projector);
      closers.unshift(() => gateway.close());
      doors = gateway.doors;
    } else doors = healthOnly(core, projector!);
    closers.push(() => core.close());
    const edge: EdgeParts = {
      doors,
      authenticate: (header) => core.access.authenticate(header),
      log: core.logger,
      report: {
        refused: (code) => core.metrics.httpRefused.inc({ code }),
        live: (open) => core.metrics.liveReaders.set(open),
      },
    };
    const parts: HubParts = {
      life: LifeModule.closing(closers),
      ...(projector ? { folds: FoldModule.of(projector) } : {}),
    };
    const http = await openHttp(
      { module: RootModule, imports: [app.module(parts)], providers: [{ provide: EDGE, useValue: edge }] },
      { port: settings.port, host: settings.host },
    );
    if (projector) {
      const { source } = projector.projector;
      const onEnd = (cause: unknown): void => {
        core.logger.error({ cause: innermostMessage(cause) }, 'the projector ended, so this process ends');
        void http.close().then(() => process.exit(1));
      };
      http.app.connectMicroservice({ strategy: new SimpulServer({ source, onEnd }) }, { inheritAppConfig: true });
      await http.app.startAllMicroservices();
    }
    // The launcher is gone, however it ended: nobody would ever stop this process.
    process.once('disconnect', () => {
      void http.close().then(() => process.exit(0));
    });
    core.logger.info({ url: http.url, engine: settings.engine, roles: app.roles }, 'ready');
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
