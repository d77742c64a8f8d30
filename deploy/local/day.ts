import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KafkaSettings } from '#settings';
import { nodeArgs } from './child.js';
import type { UpOptions } from './options.js';
import type { Screen } from './screen.js';
import { texts } from './texts.js';
import { typed } from './typed.js';

export interface DayPlay {
  readonly options: UpOptions;
  readonly screen: Screen;
  readonly url: string;
  readonly adminKey: string;
  /** undefined: the log is not in Kafka. */
  readonly kafka: KafkaSettings | undefined;
  readonly stopping: () => boolean;
  /** Resolves when Ctrl-C (or SIGTERM) asks to stop. */
  readonly stopRequested: Promise<void>;
  /** Kills the hub with SIGKILL and starts it again on the same port. */
  readonly killHub: () => Promise<void>;
}

interface KeyRequest {
  readonly unit: string;
  readonly system: string;
  readonly roles: readonly string[];
}

interface DemoFile {
  readonly day: number;
  readonly keys: Record<string, string>;
}

const CHECKER = 'hub:pemeriksa';
/** The unit whose key is used in the third command of "Try" (after the verdict). */
const SAMPLE_UNIT = 'SU00071:simkim';
const CHAOS_KILLS = 3;
const KEYS_PER_REQUEST = 500;

function readDemo(file: string): DemoFile {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DemoFile;
  } catch {
    return { day: 0, keys: {} };
  }
}

/** Replaces a file in one step (write and rename): after a crash it has the old or the new content. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function post(play: DayPlay, path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${play.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${play.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

/** Stdout of a node process. Rejects when its exit code is not 0. */
function outputOf(args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on('close', (code) => (code === 0 ? done(text) : fail(new Error(`${args.at(-1)}: exit ${code}`))));
  });
}

/** Whether the hub accepts a key. It accepts none of the stored keys when its log is another one (another Kafka, or lost data). */
async function isAccepted(play: DayPlay, key: string | undefined): Promise<boolean> {
  if (key === undefined) return true;
  const { status } = await fetch(`${play.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
  return status !== 401;
}

/** Keys of the unit systems of the demo. They are made once and stored beside the data (0600), because the hub keeps only hashes of keys. */
async function ensureKeys(play: DayPlay, file: string): Promise<DemoFile> {
  const demo = readDemo(file);
  const wanted = JSON.parse(await outputOf(nodeArgs('apps/ministry/src/main.js', ['--print-keys']))) as KeyRequest[];
  wanted.push({ unit: 'hub', system: 'pemeriksa', roles: ['steward'] });
  const keys = (await isAccepted(play, demo.keys[CHECKER])) ? { ...demo.keys } : {};
  const missing = wanted.filter((w) => keys[`${w.unit}:${w.system}`] === undefined);
  if (missing.length === 0) return demo;
  const done = play.screen.step(play.screen.say(texts.unit_system_keys({ count: missing.length })));
  for (let i = 0; i < missing.length; i += KEYS_PER_REQUEST) {
    const made = (await post(play, '/v1/keys', { keys: missing.slice(i, i + KEYS_PER_REQUEST) })) as {
      keys: { unit: string; system: string; key: string }[];
    };
    for (const k of made.keys) keys[`${k.unit}:${k.system}`] = k.key;
    replaceFile(file, JSON.stringify({ day: demo.day, keys }));
  }
  done();
  return { day: demo.day, keys };
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((done) => {
    child.on('error', () => done(1));
    child.on('close', (code) => done(code ?? 1));
  });
}

/** Kills the hub three times, at a quarter, half and three quarters of the day; the ministry sends its progress (0 to 1) over IPC. */
async function chaos(play: DayPlay, ministry: ChildProcess, dayEnded: Promise<unknown>): Promise<number> {
  let kills = 0;
  let running = true;
  void dayEnded.then(() => {
    running = false;
  });
  let progress = 0;
  let wake: () => void = () => {};
  ministry.on('message', (m: { progress?: number }) => {
    progress = m.progress ?? progress;
    wake();
  });
  while (running && kills < CHAOS_KILLS && !play.stopping()) {
    const at = (kills + 1) / (CHAOS_KILLS + 1);
    if (progress >= at) {
      await play.killHub();
      kills++;
      continue;
    }
    await Promise.race([
      dayEnded,
      new Promise<void>((done) => {
        wake = done;
      }),
    ]);
  }
  return kills;
}

/** How a directorate reads from Kafka: in this demo with the login of the hub, elsewhere with a user of its own. */
function accessOf({ brokers, sasl, ca, prefix }: KafkaSettings): object {
  return {
    brokers,
    ...(sasl === undefined ? {} : { sasl: { ...sasl, password: sasl.password.reveal() } }),
    ...(ca === undefined ? {} : { ssl: ca === 'system' ? true : { ca } }),
    ...(prefix === undefined ? {} : { prefix }),
  };
}

/** Starts the ministry; its screen goes to this terminal. */
function startMinistry({ options, url, kafka }: DayPlay, day: number, keyFile: string, history: string): ChildProcess {
  const kafkaFile = join(dirname(keyFile), 'kafka.json');
  if (kafka !== undefined) replaceFile(kafkaFile, JSON.stringify(accessOf(kafka)));
  const args = ['--url', url, '--keys', keyFile, '--history', history, '--day', String(day)];
  if (kafka !== undefined) args.push('--kafka', kafkaFile);
  return spawn(
    process.execPath,
    nodeArgs('apps/ministry/src/main.js', [...args, '--engine', options.engine, '--lang', options.lang]),
    { stdio: ['ignore', options.json ? 2 : 'inherit', 'inherit', 'ipc'] },
  );
}

/** Runs the checker over the history of the day. Returns its exit code: 0 when the verdict is good. */
async function runChecker(
  play: DayPlay,
  demoFile: string,
  keyFile: string,
  unitKeyFile: string,
  history: string,
): Promise<number> {
  const { options, screen, url } = play;
  const hideProgress = screen.pending(screen.say(texts.checking()));
  const checker = spawn(
    process.execPath,
    nodeArgs('test/kit/checker.js', [
      ...['--url', url, '--key-file', keyFile, '--keys', demoFile, '--history', history, '--engine', options.engine],
      ...['--data', typed(options.dataDir), '--unit-key', typed(unitKeyFile), '--lang', options.lang],
      ...(options.json ? ['--json'] : []),
      ...(options.once ? ['--once'] : []),
    ]),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  // The first output of the checker replaces the progress line on the terminal.
  for (const [from, to] of [
    [checker.stdout, process.stdout],
    [checker.stderr, process.stderr],
  ] as const)
    from.on('data', (chunk: Buffer) => {
      hideProgress();
      to.write(chunk);
    });
  void play.stopRequested.then(() => checker.kill('SIGTERM'));
  const code = await exitCodeOf(checker);
  hideProgress();
  return code;
}

/** Plays the next day of the ministry, then the checker judges it. True when nothing is lost, doubled or out of order. */
export async function playDay(play: DayPlay): Promise<boolean> {
  const { options, screen } = play;
  const dir = join(options.dataDir, 'demo');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'demo.json');
  const demo = await ensureKeys(play, file);
  const day = demo.day + 1;
  replaceFile(file, JSON.stringify({ ...demo, day }));
  const history = join(dir, `day-${day}.history.ndjson`);
  const ministry = startMinistry(play, day, file, history);
  const dayEnded = exitCodeOf(ministry);
  void play.stopRequested.then(() => ministry.kill('SIGTERM'));
  const kills = options.chaos ? await chaos(play, ministry, dayEnded) : 0;
  const code = await dayEnded;
  if (play.stopping()) return false;
  if (code !== 0) {
    screen.line(screen.say(texts.day_failed({ code })));
    return false;
  }
  const keyFile = join(dir, 'checker.key');
  replaceFile(keyFile, demo.keys[CHECKER] ?? '');
  const unitKeyFile = join(dir, 'kanim.key');
  replaceFile(unitKeyFile, demo.keys[SAMPLE_UNIT] ?? '');
  const verdict = await runChecker(play, file, keyFile, unitKeyFile, history);
  if (options.chaos) screen.line(screen.say(texts.hub_killed({ kills })));
  return verdict === 0 && (!options.chaos || kills === CHAOS_KILLS);
}
