import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { asFault, innermostMessage, isFault, startLine, type Text } from '#faults';
import { openDataFolder } from '#folder';
import { startHub, type HubProcess } from './child.js';
import { playDay } from './day.js';
import { readOptions, USAGE, type UpOptions } from './options.js';
import { provisionKafka } from './provision-kafka.js';
import { provisionRedis } from './redis.js';
import { openScreen, type Screen } from './screen.js';
import { texts } from './texts.js';
import { typed } from './typed.js';

const home = '.simpul';

function die(line: string): never {
  process.stderr.write(`✗ ${line}\n`);
  process.exit(1);
}

/** One line for why a start failed, with the next step. Codes without a line of the launcher get the line of a hub that was started by itself. */
function failure(code: string, detail: string, { port, lang }: UpOptions): string {
  switch (code) {
    case 'data_locked':
      return texts.data_locked({ detail }).in(lang);
    case 'port_taken':
      return texts.port_taken({ port, next: port + 1 }).in(lang);
    case 'data_format':
      return texts.data_format({ detail }).in(lang);
    default:
      return startLine(code, detail, lang);
  }
}

/**
 * The admin key exists and its file is in another place. A new one is made on this machine: with the embedded engine while no hub holds the folder,
 * with Kafka while the broker is up; the broker of this launcher is up only beside a hub.
 */
function noAdminKey(options: UpOptions, brokers: string | undefined): Text {
  const reset = `./bin/simpul.mjs --data ${typed(options.dataDir)} key reset-admin`;
  if (brokers === undefined) return texts.no_admin_key_embedded({ command: reset });
  const first = options.demo ? 'npm start -- --engine kafka --no-demo · ' : '';
  return texts.no_admin_key_kafka({ command: `${first}SIMPUL_KAFKA=${brokers} ${reset} --engine kafka` });
}

interface Engine {
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Kafka and Redis of this deployment. undefined: a person asked to stop before they were up. */
async function provision(screen: Screen, options: UpOptions, stopping: () => boolean): Promise<Engine | undefined> {
  if (options.engine === 'embedded') return { env: {}, stop: () => Promise.resolve() };
  const done = screen.step(screen.say(texts.kafka_and_redis()));
  const log = (line: string): void => screen.line(`  ${line}`);
  const [kafka, redis] = await Promise.allSettled([
    provisionKafka({
      dir: join(options.dataDir, 'kafka'),
      cache: join(home, 'kafka'),
      given: process.env['SIMPUL_KAFKA'],
      log,
    }),
    provisionRedis({
      dir: join(options.dataDir, 'redis'),
      cache: join(home, 'redis'),
      given: process.env['SIMPUL_REDIS'],
      log,
    }),
  ]);
  const stop = async (): Promise<void> => {
    await Promise.allSettled(
      [kafka, redis].map((r) => (r.status === 'fulfilled' ? r.value.stop() : Promise.resolve())),
    );
  };
  const bad = [kafka, redis].find((r) => r.status === 'rejected');
  if (kafka.status === 'rejected' || redis.status === 'rejected') {
    done(false);
    await stop();
    // Ctrl-C ends what was being fetched, too.
    if (stopping()) return undefined;
    const reason: unknown = bad?.status === 'rejected' ? bad.reason : undefined;
    die(isFault(reason) && reason.detail ? reason.detail : innermostMessage(reason));
  }
  done(true, `${kafka.value.from} ${kafka.value.bootstrap} · ${redis.value.from}`);
  return { env: { SIMPUL_KAFKA: kafka.value.bootstrap, SIMPUL_REDIS: redis.value.url }, stop };
}

async function main(): Promise<number> {
  // Keys and data are for this user alone.
  process.umask(0o077);
  const options = readOptions(process.argv.slice(2), process.env);
  if (!('engine' in options)) {
    process.stderr.write(`${options.wrong ? `✗ ${options.wrong.in(options.lang)}\n` : ''}${USAGE}\n`);
    return options.wrong ? 2 : 0;
  }
  const screen = openScreen(options.lang);
  if (existsSync(options.dataDir) && !statSync(options.dataDir).isDirectory())
    die(screen.say(texts.not_a_folder({ path: options.dataDir })));
  let hub: HubProcess | undefined;
  let stopping = false;
  let stopAsked: () => void = () => {};
  const asked = new Promise<void>((done) => {
    stopAsked = done;
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stopping = true;
      stopAsked();
    });

  try {
    // Fails on a busy or unwritable folder before a long step begins; the hub then locks the folder for itself.
    openDataFolder(options.dataDir, options.engine).release();
  } catch (e) {
    const fault = asFault(e);
    die(
      fault.code === 'invalid_settings'
        ? screen.say(texts.folder_unwritable({ detail: fault.detail ?? '' }))
        : failure(fault.code, fault.detail ?? '', options),
    );
  }

  const engine = await provision(screen, options, () => stopping);
  if (stopping || engine === undefined) {
    await engine?.stop();
    return 0;
  }
  const logFile = join(options.dataDir, 'hub.log');
  const start = async (port: number): Promise<HubProcess> => {
    const env = {
      ...process.env,
      ...engine.env,
      SIMPUL_ENGINE: options.engine,
      SIMPUL_DATA: options.dataDir,
      SIMPUL_PORT: String(port),
      SIMPUL_LANG: options.lang,
    };
    const started = await startHub('apps/hub/src/main.js', env, logFile);
    if ('kind' in started) {
      await engine.stop();
      die(failure(started.code, started.detail, options));
    }
    return started;
  };
  const done = screen.step(screen.say(texts.hub()));
  hub = await start(options.port);
  done(true, hub.url);
  const port = Number(new URL(hub.url).port);

  const stopAll = async (): Promise<void> => {
    hub?.child.kill('SIGTERM');
    await hub?.ended;
    await engine.stop();
  };
  if (!options.demo) {
    screen.line(
      screen.say(
        hub.adminKeyFile === undefined
          ? noAdminKey(options, engine.env['SIMPUL_KAFKA'])
          : texts.admin_key({ file: hub.adminKeyFile }),
      ),
    );
    screen.line(screen.say(texts.stop_with_ctrl_c()));
    await Promise.race([asked, hub.ended]);
    await stopAll();
    return stopping ? 0 : 1;
  }

  if (hub.adminKeyFile === undefined) {
    await stopAll();
    die(screen.say(noAdminKey(options, engine.env['SIMPUL_KAFKA'])));
  }
  const passed = await playDay({
    options,
    screen,
    url: hub.url,
    adminKey: readFileSync(hub.adminKeyFile, 'utf8').trim(),
    stopping: () => stopping,
    asked,
    killHub: async () => {
      hub!.child.kill('SIGKILL');
      await hub!.ended;
      hub = await start(port);
    },
  });
  if (!options.once && !stopping) {
    screen.line(screen.say(texts.hub_stays_up({ url: hub.url })));
    await Promise.race([asked, hub.ended]);
  }
  await stopAll();
  return stopping && !options.once ? 0 : passed ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (e: unknown) => die(innermostMessage(e)),
);
