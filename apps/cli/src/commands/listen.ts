import { stripVTControlCharacters, styleText } from 'node:util';
import type { Command } from 'commander';
import { verbatim } from '#faults';
import { createReader, isSdkFault, shapes, type LiveOptions, type Reader, type ReadEvent } from '#sdk';
import { readTerminal } from '#settings';
import type { Context } from '../context.js';
import { alike, patternsOf, typeMatcher } from '../patterns.js';
import { EXIT } from '../refusal.js';
import type { Run } from '../program.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';
import { TemporarySubscriptions } from './temporary-subscriptions.js';

const TESTS = '_simpul.test';
/** How long a receiver of forwarded events may take for one. */
const FORWARD_MS = 30_000;

interface Options {
  readonly forwardTo?: string;
  readonly from?: string;
  readonly test?: true;
  readonly testOnly?: true;
  readonly limit?: string;
  readonly streams?: true;
}

/** One stream, with the types of it that are listened to. */
interface Source {
  readonly stream: string;
  readonly types: readonly string[];
}

export function listenCommand(program: Command, run: Run): void {
  program
    .command('listen [types...]')
    .description(
      'events as they are recorded, from all streams that your key may read; * is one part of a type, # the rest',
    )
    .option('--forward-to <url>', 'send each event to this address, as a CloudEvent in JSON, and show what it answers')
    .option('--from <place>', 'earliest, a time or a position; default: from now on')
    .option('--test', 'test events too')
    .option('--test-only', 'test events alone')
    .option('-n, --limit <n>', 'end after so many')
    .option('--streams', 'read the streams, without a subscription')
    .addHelpText(
      'after',
      "\nListens on a temporary subscription, which is removed at the end, and by the hub five minutes after a kill. A key without the role reader reads the streams.\nIn a pipe, or with -o jsonl, each event is one line of JSON; what is forwarded is told on standard error. With --limit the exit code is 5 when a forward failed.\n\nExample:\n  simpul listen 'imigrasi.#' --test --forward-to http://127.0.0.1:3000/hook",
    )
    .action((types: string[], o: Options) => run((ctx) => listen(ctx, types, o)));
}

async function listen(ctx: Context, patterns: readonly string[], o: Options): Promise<number> {
  const limit = o.limit === undefined ? Number.POSITIVE_INFINITY : Number(o.limit);
  if (!(limit > 0) || (Number.isFinite(limit) && !Number.isInteger(limit)))
    throw new Usage(verbatim(`--limit ${o.limit}: 1, 2, 3, …`));
  const url = o.forwardTo === undefined ? undefined : addressOf(o.forwardTo);
  const sources = await sourcesOf(ctx, patterns, o);
  if (sources.length === 0) return showNothing(ctx, patterns);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const out = new Lines(ctx);
  const reader = createReader({ connection: ctx.hub, key: ctx.key });
  const subscriptions = new TemporarySubscriptions(ctx);
  let taken = 0;
  let failed = 0;
  let open = 0;
  let followed = Number.POSITIVE_INFINITY;
  const connected = (): void => {
    if (++open === followed) out.ready(sources);
  };
  const take = async (event: ReadEvent): Promise<void> => {
    if (taken >= limit) return;
    taken++;
    out.event(event);
    if (url !== undefined && !(await forward(out, url, event, stopping.signal))) failed++;
    if (taken >= limit) stop();
  };
  const following = { connected, take, signal: stopping.signal };
  try {
    const isOn = o.streams !== true && (await reader.me({ signal: stopping.signal })).roles.includes('reader');
    const ways = isOn
      ? await waysOf(reader, subscriptions, patterns, sources, o)
      : sources.map(({ stream, types }): Way => {
          const asked = { from: o.from ?? 'latest', type: types };
          return { name: stream, events: (more) => reader.live(stream, { ...asked, ...more }) };
        });
    followed = ways.length;
    await Promise.all(ways.map((way) => follow(way, out, following)));
  } catch (e) {
    if (!stopping.signal.aborted) throw e;
  } finally {
    stop();
    for (const name of await subscriptions.remove()) out.note(ctx.say(texts.listen_left({ name })));
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
  return failed > 0 && Number.isFinite(limit) ? EXIT.part : EXIT.ok;
}

interface Following {
  readonly connected: () => void;
  readonly take: (event: ReadEvent) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Where events come from: a stream, or a subscription. */
interface Way {
  readonly name: string;
  readonly events: (o: Pick<LiveOptions, 'signal' | 'report'>) => AsyncIterable<ReadEvent>;
}

/** A subscription for facts, and one for test events: none gets both. */
async function waysOf(
  reader: Reader,
  subscriptions: TemporarySubscriptions,
  patterns: readonly string[],
  sources: readonly Source[],
  { from = 'now' }: Options,
): Promise<readonly Way[]> {
  const ways: Way[] = [];
  for (const test of [false, true]) {
    const some = sources.filter(({ stream }) => (stream === TESTS) === test);
    if (some.length === 0) continue;
    const known = some.flatMap(({ types }) => types);
    const { id, name } = await subscriptions.make({
      types: patternsOf(patterns, known),
      start: startOf(from, test),
      test,
    });
    ways.push({ name, events: (more) => reader.subscription(id, more) });
  }
  return ways;
}

/** A position is one of facts or of test events; the others begin now. */
function startOf(from: string, test: boolean): string {
  const isElsewhere = /^[^/]+\/\d+\/\d+$/.test(from) && from.startsWith(`${TESTS}/`) !== test;
  return isElsewhere ? 'now' : from;
}

/** Events one after another, so that the order of each subject is the order of the forwards. Goes on by itself after a broken connection. */
async function follow({ name, events }: Way, out: Lines, { connected, take, signal }: Following): Promise<void> {
  let first = true;
  let told = false;
  const report = {
    connected: () => {
      if (first) connected();
      else if (told) out.again(name);
      first = told = false;
    },
    disconnected: () => {
      if (told) return;
      told = true;
      out.broken(name);
    },
    gap: (detail: unknown) => out.note(`gap ${JSON.stringify(detail)}`),
    damaged: (detail: unknown) => out.note(`corrupt_record ${JSON.stringify(detail)}`),
  };
  for await (const event of events({ signal, report })) {
    await take(event);
    if (signal.aborted) return;
  }
}

/** The streams with a type that matches, and the test events. */
async function sourcesOf(ctx: Context, patterns: readonly string[], o: Options): Promise<readonly Source[]> {
  const matches = typeMatcher(patterns);
  const sources: Source[] = [];
  const add = (stream: string, types: unknown): void => {
    const wanted = Array.isArray(types) ? (types as string[]).filter(matches) : [];
    if (wanted.length > 0) sources.push({ stream, types: wanted });
  };
  if (o.testOnly !== true) {
    const { body } = await ctx.get('/v1/streams', shapes.listOf('streams', shapes.texts('name')));
    for (const { name, types } of (body as { streams: { name: string; types?: unknown }[] }).streams) add(name, types);
  }
  if (o.test === true || o.testOnly === true) {
    const tests = await ctx.get(`/v1/streams/_simpul.test`, shapes.named('name', TESTS)).catch((e: unknown) => {
      if (isSdkFault(e) && e.status === 404) return undefined;
      throw e;
    });
    if (tests === undefined) process.stderr.write(`! ${ctx.say(texts.no_test_events())}\n`);
    else add(TESTS, (tests.body as { types?: unknown }).types);
  }
  return sources;
}

/** Why nothing matches: there is no such type, or the key may not read it. */
async function showNothing(ctx: Context, patterns: readonly string[]): Promise<number> {
  const rows = await ctx.rows('/v1/event-types', 'types', shapes.texts('type', 'stream'), 10_000);
  const names = rows.map(({ type }) => String(type));
  const matches = typeMatcher(patterns);
  const asked = patterns.join(' ');
  if (names.some(matches)) process.stderr.write(`✗ ${ctx.say(texts.types_unreadable({ types: asked }))}\n`);
  else {
    const near = patterns.flatMap((pattern) => alike(pattern, names)).slice(0, 3);
    process.stderr.write(
      `✗ ${ctx.say(texts.no_type_matches({ types: asked }))}${near.length > 0 ? `  → ${near.join(', ')}` : ''}\n`,
    );
    process.stderr.write(`  ${ctx.say(texts.next_step())}: simpul type ls\n`);
  }
  return EXIT.nothing;
}

function addressOf(text: string): string {
  // Without a scheme: `localhost:3000/hook` would be read as the scheme "localhost:".
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full) || !/^https?:$/.test(new URL(full).protocol))
    throw new Usage(verbatim(`--forward-to ${text}: http://…, https://…`));
  return full;
}

/** Sends one event, and tells what came back. True: a status of 2xx. */
async function forward(out: Lines, url: string, event: ReadEvent, signal: AbortSignal): Promise<boolean> {
  const began = performance.now();
  let answer: string;
  let ok = false;
  try {
    const r = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
      body: JSON.stringify(event),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(FORWARD_MS)]),
    });
    await r.body?.cancel();
    answer = String(r.status);
    ok = r.ok;
  } catch (e) {
    if (signal.aborted) return true;
    const { name, cause } = e as { name?: string; cause?: { code?: string; message?: string } };
    answer = name === 'TimeoutError' ? 'timeout' : (cause?.code ?? cause?.message ?? 'error');
  }
  out.forwarded(answer, ok, url, event, Math.round(performance.now() - began));
  return ok;
}

/** What is shown: on a terminal lines with `-->` and `<--`, in a pipe events as lines of JSON and all else on standard error. */
class Lines {
  readonly #ctx: Context;
  readonly #text: boolean;
  readonly #color: boolean;
  readonly #time: Intl.DateTimeFormat;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#text = ctx.format === 'table' && process.stdout.isTTY;
    this.#color = this.#text && readTerminal().color;
    this.#time = new Intl.DateTimeFormat(ctx.lang === 'id' ? 'id-ID' : 'en-GB', {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZoneName: 'short',
    });
  }

  ready(sources: readonly Source[]): void {
    const types = new Set(sources.flatMap((s) => s.types)).size;
    this.note(this.#ctx.say(texts.listening({ types, streams: sources.length })));
  }

  event(e: ReadEvent): void {
    if (!this.#text) {
      process.stdout.write(`${JSON.stringify(e)}\n`);
      return;
    }
    const test = e['simpultest'] === 'true' ? `[${this.#ctx.say(texts.test_mark())}] ` : '';
    const head = `${this.#at(e.recordedtime)}  -->  ${this.#style('bold', test + plain(e.type))}`;
    const rest = `${plain(e.subject)}  ${this.#style('dim', plain(e.position))}`;
    const width = stripVTControlCharacters(`${head}  ${rest}`).length;
    // On a narrow terminal in two lines, so that what is copied from it is whole.
    const narrow = width > (process.stdout.columns ?? 80);
    process.stdout.write(`${head}${narrow ? '\n      ' : '  '}${rest}\n`);
  }

  forwarded(answer: string, ok: boolean, url: string, e: ReadEvent, ms: number): void {
    const status = this.#style(ok ? 'green' : 'red', `[${answer}]`);
    const line = `${this.#at()}  <--  ${status} POST ${url}  ${plain(e.id)}  ${ms} ms\n`;
    (this.#text ? process.stdout : process.stderr).write(line);
  }

  broken(stream: string): void {
    this.note(this.#ctx.say(texts.listen_broken({ stream })));
  }

  again(stream: string): void {
    this.note(this.#ctx.say(texts.listen_again({ stream })));
  }

  note(text: string): void {
    process.stderr.write(`· ${text}\n`);
  }

  #at(time?: string): string {
    const at = time === undefined ? new Date() : new Date(time);
    return this.#style('dim', Number.isNaN(at.getTime()) ? '--.--.--' : this.#time.format(at));
  }

  #style(form: 'bold' | 'dim' | 'green' | 'red', text: string): string {
    return this.#color ? styleText(form, text, { validateStream: false }) : text;
  }
}

/** Text of a publisher without what a terminal would obey. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const plain = (value: unknown): string => String(value ?? '-').replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
