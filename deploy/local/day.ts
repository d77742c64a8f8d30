import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  readonly stopping: () => boolean;
  /** Resolves when a person asked to stop. */
  readonly asked: Promise<void>;
  /** kill -9 and start again on the same port. */
  readonly killHub: () => Promise<void>;
}

interface KeyWish {
  readonly unit: string;
  readonly system: string;
  readonly roles: readonly string[];
}

interface DemoFile {
  readonly day: number;
  readonly keys: Record<string, string>;
}

const CHECKER = 'hub:pemeriksa';
/** The unit whose key the third line of "Try" uses. */
const SAMPLE_UNIT = 'SU00071:simkim';
const CHAOS_KILLS = 3;
const KEYS_A_REQUEST = 500;

function readDemo(file: string): DemoFile {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DemoFile;
  } catch {
    return { day: 0, keys: {} };
  }
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

async function ask(play: DayPlay, path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${play.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${play.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

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

/** Whether this hub knows the key: another Kafka, or a lost log, knows none of them. */
async function known(play: DayPlay, key: string | undefined): Promise<boolean> {
  if (key === undefined) return true;
  const { status } = await fetch(`${play.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
  return status !== 401;
}

/** Keys of the unit systems of the demo: made once, kept beside the data (0600), since the hub holds only hashes. */
async function ensureKeys(play: DayPlay, file: string): Promise<DemoFile> {
  const demo = readDemo(file);
  const wishes = JSON.parse(await outputOf(nodeArgs('apps/ministry/src/main.js', ['--print-keys']))) as KeyWish[];
  wishes.push({ unit: 'hub', system: 'pemeriksa', roles: ['steward'] });
  const keys = (await known(play, demo.keys[CHECKER])) ? { ...demo.keys } : {};
  const lacking = wishes.filter((w) => keys[`${w.unit}:${w.system}`] === undefined);
  if (lacking.length === 0) return demo;
  const done = play.screen.step(play.screen.say(texts.unit_system_keys({ count: lacking.length })));
  for (let i = 0; i < lacking.length; i += KEYS_A_REQUEST) {
    const made = (await ask(play, '/v1/keys', { keys: lacking.slice(i, i + KEYS_A_REQUEST) })) as {
      keys: { unit: string; system: string; key: string }[];
    };
    for (const k of made.keys) keys[`${k.unit}:${k.system}`] = k.key;
    writeWhole(file, JSON.stringify({ day: demo.day, keys }));
  }
  done();
  return { day: demo.day, keys };
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((done) => {
    child.on('error', () => done(1));
    child.on('close', (code) => done(code ?? 1));
  });
}

/** Kills the hub three times, spread over the day as the ministry tells its progress (0 to 1). */
async function chaos(play: DayPlay, ministry: ChildProcess, over: Promise<unknown>): Promise<number> {
  let kills = 0;
  let running = true;
  void over.then(() => {
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
      over,
      new Promise<void>((done) => {
        wake = done;
      }),
    ]);
  }
  return kills;
}

/** Plays the next day of the ministry and has it judged by the checker. true: nothing lost, doubled or out of order. */
export async function playDay(play: DayPlay): Promise<boolean> {
  const { options, screen } = play;
  const dir = join(options.dataDir, 'demo');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'demo.json');
  const demo = await ensureKeys(play, file);
  const day = demo.day + 1;
  writeWhole(file, JSON.stringify({ ...demo, day }));
  const history = join(dir, `day-${day}.history.ndjson`);
  const lang = ['--lang', options.lang];
  const ministry = spawn(
    process.execPath,
    nodeArgs('apps/ministry/src/main.js', [
      '--url',
      play.url,
      '--keys',
      file,
      '--history',
      history,
      '--day',
      String(day),
      '--engine',
      options.engine,
      ...lang,
    ]),
    { stdio: ['ignore', options.json ? 2 : 'inherit', 'inherit', 'ipc'] },
  );
  const over = ended(ministry);
  void play.asked.then(() => ministry.kill('SIGTERM'));
  const kills = options.chaos ? await chaos(play, ministry, over) : 0;
  const code = await over;
  if (play.stopping()) return false;
  if (code !== 0) {
    screen.line(screen.say(texts.day_failed({ code })));
    return false;
  }
  const keyFile = join(dir, 'checker.key');
  writeWhole(keyFile, demo.keys[CHECKER] ?? '');
  const unitKey = join(dir, 'kanim.key');
  writeWhole(unitKey, demo.keys[SAMPLE_UNIT] ?? '');
  const shown = screen.pending(screen.say(texts.checking()));
  const checker = spawn(
    process.execPath,
    nodeArgs('test/kit/checker.js', [
      '--url',
      play.url,
      '--key-file',
      keyFile,
      '--history',
      history,
      '--engine',
      options.engine,
      '--data',
      typed(options.dataDir),
      '--unit-key',
      typed(unitKey),
      ...lang,
      ...(options.json ? ['--json'] : []),
      ...(options.once ? ['--once'] : []),
    ]),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  // The verdict takes the place of the line that said what is going on.
  for (const [from, to] of [
    [checker.stdout, process.stdout],
    [checker.stderr, process.stderr],
  ] as const)
    from.on('data', (chunk: Buffer) => {
      shown();
      to.write(chunk);
    });
  void play.asked.then(() => checker.kill('SIGTERM'));
  const verdict = await ended(checker);
  shown();
  if (options.chaos) screen.line(screen.say(texts.hub_killed({ kills })));
  return verdict === 0 && (!options.chaos || kills === CHAOS_KILLS);
}
