import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { asFault, innermostMessage, isFault, startLine } from '#faults';
import { openDataFolder } from '#folder';
import { startHub, type HubProcess } from './child.js';
import { playDay } from './day.js';
import { readOptions, USAGE, type UpOptions } from './options.js';
import { provisionKafka } from './provision-kafka.js';
import { provisionRedis } from './redis.js';
import { openScreen, type Screen } from './screen.js';
import { typed } from './typed.js';

const home = '.simpul';

function die(line: string): never {
  process.stderr.write(`✗ ${line}\n`);
  process.exit(1);
}

/** One clear line for what went wrong at start, with the remedy. */
function remedy(screen: Screen, code: string, detail: string, options: UpOptions): string {
  switch (code) {
    case 'data_locked':
      return screen.say(
        `Map data sedang dipakai: ${detail}. Hentikan proses itu (kill <pid>), atau pakai --data MAP_LAIN.`,
        `The data folder is in use: ${detail}. Stop that process (kill <pid>), or use --data OTHER_FOLDER.`,
      );
    case 'port_taken':
      return screen.say(
        `Port ${options.port} sudah dipakai. Pakai port lain: npm start -- --port ${options.port + 1}`,
        `Port ${options.port} is taken. Use another: npm start -- --port ${options.port + 1}`,
      );
    case 'data_format':
      return screen.say(
        `Map data tidak cocok: ${detail}. Pakai --data MAP_LAIN.`,
        `The data folder does not fit: ${detail}. Use --data OTHER_FOLDER.`,
      );
    default:
      return startLine(code, detail, options.lang);
  }
}

/**
 * Where the key is, only whoever moved it knows. A new one is made on this machine: with the embedded engine while no hub holds the folder, with Kafka
 * while its broker is up, which ours is only beside a hub.
 */
function noAdminKey(screen: Screen, options: UpOptions, brokers: string | undefined): string {
  const reset = `./bin/simpul.mjs --data ${typed(options.dataDir)} key reset-admin`;
  if (brokers !== undefined) {
    const command = `SIMPUL_KAFKA=${brokers} ${reset} --engine kafka`;
    const first = options.demo ? 'npm start -- --engine kafka --no-demo · ' : '';
    return screen.say(
      `Kunci admin sudah ada, tetapi berkasnya tidak di map ini. Buat yang baru selagi hub menyala: ${first}${command}`,
      `There is an admin key, but its file is not in this folder. Make a new one while the hub is up: ${first}${command}`,
    );
  }
  return screen.say(
    `Kunci admin sudah ada, tetapi berkasnya tidak di map ini. Buat yang baru sesudah hub berhenti: ${reset}`,
    `There is an admin key, but its file is not in this folder. Make a new one after the hub has stopped: ${reset}`,
  );
}

interface Engine {
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Kafka and Redis of this deployment. undefined: a person asked to stop before they were up. */
async function provision(screen: Screen, options: UpOptions, stopping: () => boolean): Promise<Engine | undefined> {
  if (options.engine === 'embedded') return { env: {}, stop: () => Promise.resolve() };
  const done = screen.step(screen.say('mesin Kafka dan Redis', 'Kafka and Redis'));
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
  if ('wrong' in options) {
    process.stderr.write(`${options.wrong ? `✗ ${options.wrong}\n` : ''}${USAGE}\n`);
    return options.wrong ? 2 : 0;
  }
  const screen = openScreen(options.lang);
  if (existsSync(options.dataDir) && !statSync(options.dataDir).isDirectory())
    die(
      screen.say(
        `${options.dataDir} bukan map. Pakai --data MAP_LAIN.`,
        `${options.dataDir} is not a folder. Use --data OTHER_FOLDER.`,
      ),
    );
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
    // Tells of a busy or unwritable folder before anything long begins; the hub takes it for itself.
    openDataFolder(options.dataDir, options.engine).release();
  } catch (e) {
    const fault = asFault(e);
    die(
      fault.code === 'invalid_settings'
        ? screen.say(
            `Map data tidak dapat ditulis: ${fault.detail ?? ''}. Beri hak tulis, atau pakai --data MAP_LAIN.`,
            `The data folder cannot be written: ${fault.detail ?? ''}. Allow writing, or use --data OTHER_FOLDER.`,
          )
        : remedy(screen, fault.code, fault.detail ?? '', options),
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
    };
    const started = await startHub('apps/hub/src/main.js', env, logFile);
    if ('kind' in started) {
      await engine.stop();
      die(remedy(screen, started.code, started.detail, options));
    }
    return started;
  };
  const done = screen.step(screen.say('hub', 'hub'));
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
      hub.adminKeyFile === undefined
        ? noAdminKey(screen, options, engine.env['SIMPUL_KAFKA'])
        : screen.say(`Kunci admin: ${hub.adminKeyFile}`, `Admin key: ${hub.adminKeyFile}`),
    );
    screen.line(screen.say('Berhenti: Ctrl-C', 'Stop: Ctrl-C'));
    await Promise.race([asked, hub.ended]);
    await stopAll();
    return stopping ? 0 : 1;
  }

  if (hub.adminKeyFile === undefined) {
    await stopAll();
    die(noAdminKey(screen, options, engine.env['SIMPUL_KAFKA']));
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
    screen.line(
      screen.say(`Hub tetap menyala: ${hub.url}   Berhenti: Ctrl-C`, `The hub stays up: ${hub.url}   Stop: Ctrl-C`),
    );
    await Promise.race([asked, hub.ended]);
  }
  await stopAll();
  return stopping && !options.once ? 0 : passed ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (e: unknown) => die(innermostMessage(e)),
);
