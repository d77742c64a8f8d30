import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { asFault, innermostMessage, isFault, startLine, type Text } from '#faults';
import { openDataFolder } from '#folder';
import { readHubSettings, type KafkaSettings } from '#settings';
import { startHub, type HubProcess } from './child.js';
import { readOptions, type Caller, type UpOptions } from './options.js';
import { provisionKafka } from './provision-kafka.js';
import { provisionRedis } from './redis.js';
import { openScreen, type Screen } from './screen.js';
import { texts } from './texts.js';
import { typed } from './typed.js';

const home = '.simpul';
const LOOPBACK = '127.0.0.1/32';

function die(line: string): never {
  process.stderr.write(`✗ ${line}\n`);
  process.exit(1);
}

/** One line that says why a start failed and what to do. A code without a text of the launcher gets the start line of the hub. */
function failure(code: string, detail: string, { port, lang, caller }: UpOptions): string {
  switch (code) {
    case 'data_locked':
      return texts.data_locked({ detail }).in(lang);
    case 'port_taken':
      return texts.port_taken({ port, command: `${caller.start} --port ${port + 1}` }).in(lang);
    case 'data_format':
      return texts.data_format({ detail }).in(lang);
    default:
      return startLine(code, detail, lang);
  }
}

/**
 * The text for an admin key that exists while its file is not in this data folder: how to make a new one. With the embedded engine the hub must be
 * stopped for that, because it locks the folder; with Kafka the broker must run, and the broker of this launcher runs only while its hub does.
 */
function noAdminKey(options: UpOptions, brokers: string | undefined): Text {
  const { start, cli } = options.caller;
  const reset = `${cli} --data ${typed(options.dataDir)} key reset-admin`;
  if (brokers === undefined) return texts.no_admin_key_embedded({ command: reset });
  const first = options.demo ? `${start} --engine kafka --no-demo · ` : '';
  return texts.no_admin_key_kafka({ command: `${first}SIMPUL_KAFKA=${brokers} ${reset} --engine kafka` });
}

interface Engine {
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Kafka and Redis of this deployment. undefined: a signal asked to stop before they were ready. */
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
    // Ctrl-C also stops a running download, which then looks like a failure.
    if (stopping()) return undefined;
    const reason: unknown = bad?.status === 'rejected' ? bad.reason : undefined;
    die(isFault(reason) && reason.detail ? reason.detail : innermostMessage(reason));
  }
  done(true, `${kafka.value.from} ${kafka.value.bootstrap} · ${redis.value.from}`);
  return { env: { SIMPUL_KAFKA: kafka.value.bootstrap, SIMPUL_REDIS: redis.value.url }, stop };
}

/** Ctrl-C and the other signals that ask the launcher to stop. */
interface StopSignal {
  received(): boolean;
  readonly requested: Promise<void>;
}

function listenForStop(): StopSignal {
  let received = false;
  const requested = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        received = true;
        done();
      });
  });
  return { received: () => received, requested };
}

/** Fails on a locked or unwritable data folder before a long step begins. The lock is released at once: the hub takes it for itself. */
function checkDataFolder(screen: Screen, options: UpOptions): void {
  if (existsSync(options.dataDir) && !statSync(options.dataDir).isDirectory())
    die(screen.say(texts.not_a_folder({ path: options.dataDir })));
  try {
    openDataFolder(options.dataDir, options.engine).release();
  } catch (e) {
    const fault = asFault(e);
    die(
      fault.code === 'invalid_settings'
        ? screen.say(texts.folder_unwritable({ detail: fault.detail ?? '' }))
        : failure(fault.code, fault.detail ?? '', options),
    );
  }
}

/**
 * Settings of the hub of a demo day: the units of the day listen at ports of this machine, and its waits fit a day of less than a minute. What is set is kept.
 */
function demoEnvironment(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const allowed = given['SIMPUL_WEBHOOK_ALLOW'];
  return {
    SIMPUL_DELIVERY_RETRIES: '0.5,1',
    SIMPUL_DELIVERY_SCHEDULE: '2,4',
    ...given,
    SIMPUL_WEBHOOK_ALLOW: allowed === undefined || allowed === '' ? LOOPBACK : `${LOOPBACK},${allowed}`,
  };
}

/** The hub process of this launcher. */
class LaunchedHub {
  readonly #options: UpOptions;
  readonly #engine: Engine;
  #process!: HubProcess;

  constructor(options: UpOptions, engine: Engine) {
    this.#options = options;
    this.#engine = engine;
  }

  get url(): string {
    return this.#process.url;
  }

  get adminKeyFile(): string | undefined {
    return this.#process.adminKeyFile;
  }

  get ended(): Promise<number | null> {
    return this.#process.ended;
  }

  /** As the hub read it. */
  get kafka(): KafkaSettings | undefined {
    return readHubSettings({ ...process.env, ...this.#engine.env, SIMPUL_ENGINE: this.#options.engine }).kafka;
  }

  /** Ends the launcher with one line when the hub does not start. */
  async start(port = this.#options.port): Promise<void> {
    const { engine, dataDir, lang } = this.#options;
    const env = {
      ...(this.#options.demo ? demoEnvironment(process.env) : process.env),
      ...this.#engine.env,
      SIMPUL_ENGINE: engine,
      SIMPUL_DATA: dataDir,
      SIMPUL_PORT: String(port),
      SIMPUL_LANG: lang,
    };
    const started = await startHub('apps/hub/src/main.js', env, join(dataDir, 'hub.log'));
    if ('kind' in started) {
      await this.#engine.stop();
      die(failure(started.code, started.detail, this.#options));
    }
    this.#process = started;
  }

  /** SIGKILL, then a start on the same port. */
  async crash(): Promise<void> {
    const port = Number(new URL(this.url).port);
    this.#process.child.kill('SIGKILL');
    await this.ended;
    await this.start(port);
  }

  /** Stops the hub, then Kafka and Redis, which the hub needs while it drains. */
  async stop(): Promise<void> {
    this.#process.child.kill('SIGTERM');
    await this.ended;
    await this.#engine.stop();
  }
}

/** --no-demo: the hub runs until a signal. Returns the exit code. */
async function serve(hub: LaunchedHub, engine: Engine, screen: Screen, options: UpOptions, stop: StopSignal) {
  const line =
    hub.adminKeyFile === undefined
      ? noAdminKey(options, engine.env['SIMPUL_KAFKA'])
      : texts.admin_key({ file: hub.adminKeyFile });
  screen.line(screen.say(line));
  screen.line(screen.say(texts.stop_with_ctrl_c()));
  await Promise.race([stop.requested, hub.ended]);
  await hub.stop();
  return stop.received() ? 0 : 1;
}

/** Plays one day and then keeps the hub running, unless --once. Returns the exit code: 0 for a good verdict. */
async function play(hub: LaunchedHub, engine: Engine, screen: Screen, options: UpOptions, stop: StopSignal) {
  if (hub.adminKeyFile === undefined) {
    await hub.stop();
    die(screen.say(noAdminKey(options, engine.env['SIMPUL_KAFKA'])));
  }
  // The day is not in the package `simpul`.
  const { playDay } = await import('./day.js');
  const passed = await playDay({
    options,
    screen,
    url: hub.url,
    adminKey: readFileSync(hub.adminKeyFile, 'utf8').trim(),
    kafka: hub.kafka,
    stopping: () => stop.received(),
    stopRequested: stop.requested,
    killHub: () => hub.crash(),
  });
  if (!options.once && !stop.received()) {
    screen.line(screen.say(texts.hub_stays_up({ url: hub.url })));
    await Promise.race([stop.requested, hub.ended]);
  }
  await hub.stop();
  return (stop.received() && !options.once) || passed ? 0 : 1;
}

/**
 * Starts a hub with the options of `argv` and keeps it running until a signal, or plays a day first. Resolves with the exit code; ends the process with one
 * line and exit code 1 when the hub cannot start.
 */
export async function launch(argv: readonly string[], caller: Caller): Promise<number> {
  // Files with keys and data must be readable for this user only.
  process.umask(0o077);
  const options = readOptions(argv, process.env, caller);
  if (!('engine' in options)) {
    process.stderr.write(`${options.wrong ? `✗ ${options.wrong.in(options.lang)}\n` : ''}${caller.usage}\n`);
    return options.wrong ? 2 : 0;
  }
  try {
    return await run(options);
  } catch (e) {
    return die(innermostMessage(e));
  }
}

async function run(options: UpOptions): Promise<number> {
  const screen = openScreen(options.lang);
  const stop = listenForStop();
  checkDataFolder(screen, options);
  const engine = await provision(screen, options, () => stop.received());
  if (stop.received() || engine === undefined) {
    await engine?.stop();
    return 0;
  }
  const hub = new LaunchedHub(options, engine);
  const done = screen.step(screen.say(texts.hub()));
  await hub.start();
  done(true, hub.url);
  return (options.demo ? play : serve)(hub, engine, screen, options, stop);
}
