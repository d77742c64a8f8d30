import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { innermostMessage, verbatim, type Language } from '#faults';
import { faultOf, shapes } from '#sdk';
import { DEFAULT_URL, type Context } from '../context.js';
import {
  preparation,
  projectFiles,
  START,
  TEMPLATES,
  type Packages,
  type ProjectOptions,
  type Template,
} from '../project.js';
import { EXIT } from '../refusal.js';
import type { Run } from '../program.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';
import { codeFromHub } from './type-gen.js';

const USAGE = 'simpul init [dir] --unit SU00123';

interface Options {
  readonly unit?: string;
  readonly template?: string;
  readonly type?: string;
  readonly packages?: string;
}

export function initCommand(program: Command, run: Run): void {
  program
    .command('init [dir]')
    .description(
      'a new project of a unit system: typed events, a program that listens, one that sends; asks what is not given',
    )
    .option('--unit <unit>', 'the unit')
    .option('--template <name>', `${TEMPLATES.join(' or ')}: Node.js alone, or NestJS`)
    .option('--type <type>', 'the event type; default: one that the unit may publish')
    .option(
      '--packages <dir>',
      'folder with the tarballs of @simpul/sdk and @simpul/nest, copied into the project, with the tarball of simpul if it is there; default: the current folder, else the registry of npm',
    )
    .addHelpText(
      'after',
      '\nWithout a terminal nothing is asked: --unit is needed, and the template is plain. --lang is the language of the project.\n\nExample:\n  simpul init sistem-paspor --unit SU00123 --template plain --packages dist/packages',
    )
    .action((dir: string | undefined, o: Options) => run((ctx) => init(ctx, dir, o)));
}

async function init(ctx: Context, given: string | undefined, o: Options): Promise<number> {
  const asked = await ask(ctx, given, o);
  const dir = resolve(asked.dir);
  if (existsSync(dir) && readdirSync(dir).length > 0) throw new Usage(texts.folder_not_empty({ dir }));
  const unit = await unitOf(ctx, asked.unit);
  const type = o.type ?? (await typeFor(ctx, unit));
  const sample = await sampleOf(ctx, type, unit.id);
  const packages = packagesOf(o.packages, asked.template);
  const { files, module, token } = await codeFromHub(ctx, type);
  const name = basename(dir)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-');
  const project: ProjectOptions = {
    name,
    unit: unit.id,
    lang: asked.lang,
    template: asked.template,
    type,
    token,
    module,
    sample,
    packages: packages.versions,
    url: ctx.url === DEFAULT_URL ? undefined : ctx.url,
  };
  const events = Object.fromEntries(files.map(({ name: file, text }) => [`src/events/${file}`, text]));
  writeProject(dir, { ...projectFiles(project), ...events }, packages.files);
  process.stdout.write(`✔ ${asked.dir}  ${asked.template}  ${unit.id}  ${type}\n`);
  if (packages.files.length === 0)
    process.stderr.write(`! ${ctx.say(texts.no_registry({ dir: join(asked.dir, 'packages') }))}\n`);
  const steps = [...preparation(project), [`cd ${asked.dir}`, ...START].join(' && ')];
  process.stderr.write(`  ${ctx.say(texts.next_step())}:\n${steps.map((step) => `    ${step}\n`).join('')}`);
  return EXIT.ok;
}

/** All files or none. From the first to the last no signal comes between, because Node gives signals to the event loop. Throws Usage. */
function writeProject(dir: string, files: Readonly<Record<string, string>>, packages: readonly string[]): void {
  const wasThere = existsSync(dir);
  const ignored = (): void => {};
  process.on('SIGINT', ignored);
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    for (const file of packages) {
      mkdirSync(join(dir, 'packages'), { recursive: true });
      copyFileSync(file, join(dir, 'packages', basename(file)));
    }
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === undefined) throw e;
    const made = wasThere ? readdirSync(dir).map((one) => join(dir, one)) : [dir];
    for (const one of made) rmSync(one, { recursive: true, force: true });
    throw new Usage(texts.file_unwritable({ file: dir, why: innermostMessage(e) }));
  } finally {
    process.off('SIGINT', ignored);
  }
}

interface Asked {
  readonly dir: string;
  readonly unit: string;
  readonly lang: Language;
  readonly template: Template;
}

/** What the flags do not say is asked on a terminal; elsewhere only the unit has no default. */
async function ask(ctx: Context, dir: string | undefined, o: Options): Promise<Asked> {
  const { unit: owner } = (await ctx.get('/v1/me', shapes.isMe)).body as { unit: string };
  const own = owner === 'hub' ? undefined : owner;
  const terminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  const lines = terminal ? createInterface({ input: process.stdin, output: process.stderr }) : undefined;
  const ended = new AbortController();
  // Without this an open question would end the process with a warning of Node.
  lines?.once('SIGINT', () => {
    lines.close();
    process.kill(process.pid, 'SIGINT');
  });
  lines?.once('close', () => ended.abort());
  /** Asks until the answer is one of `choices`, where there are some. */
  const question = async (
    text: string,
    fallback: string | undefined,
    choices?: readonly string[],
  ): Promise<string | undefined> => {
    for (;;) {
      if (lines === undefined) return fallback;
      const shown = `? ${text}${fallback === undefined ? '' : ` (${fallback})`}: `;
      const given = await lines.question(shown, { signal: ended.signal }).catch(() => undefined);
      // Ctrl-D: nobody answers any more.
      if (given === undefined) throw new Usage(verbatim(USAGE));
      const answer = given.trim() === '' ? fallback : given.trim();
      if (choices === undefined || choices.includes(answer!)) return answer;
      process.stderr.write(`! ${answer}: ${choices.join(', ')}\n`);
    }
  };
  try {
    if (o.template !== undefined && !(TEMPLATES as readonly string[]).includes(o.template))
      throw new Usage(verbatim(`--template ${o.template}: ${TEMPLATES.join(', ')}`));
    const unit = o.unit ?? (await question(ctx.say(texts.ask_unit()), own));
    if (unit === undefined) throw new Usage(verbatim(USAGE));
    const lang = await question(ctx.say(texts.ask_language()), ctx.lang, ['id', 'en']);
    const template = o.template ?? (await question(ctx.say(texts.ask_template()), 'plain', TEMPLATES));
    return { dir: dir ?? `simpul-${unit.toLowerCase()}`, unit, lang: lang as Language, template: template as Template };
  } finally {
    lines?.close();
  }
}

interface UnitRow {
  readonly id: string;
  readonly type: string;
}

async function unitOf(ctx: Context, unit: string): Promise<UnitRow> {
  const { body } = await ctx.get(`/v1/units/${encodeURIComponent(unit)}`, shapes.texts('id', 'code'));
  return body as UnitRow;
}

/** A type that a unit may publish: one for units of its kind before one for every unit. */
async function typeFor(ctx: Context, { id, type }: UnitRow): Promise<string> {
  const rows = await ctx.rows('/v1/event-types', 'types', shapes.texts('type', 'stream'), 10_000);
  const of = (publisher: string): string | undefined =>
    rows.find((row) => (row['publishers'] as readonly string[] | undefined)?.includes(publisher))?.['type'] as
      string | undefined;
  const found = of(`unit:${id}`) ?? of(`type:${type}`) ?? of('any');
  if (found === undefined) throw new Usage(texts.no_type_for_unit({ unit: id }));
  return found;
}

/** The data of a sample, with the unit where the sample has the unit that sends it. */
async function sampleOf(ctx: Context, type: string, unit: string): Promise<unknown> {
  const path = `/v1/event-types/${encodeURIComponent(type)}/sample`;
  const reply = await ctx.hub.call(path, { key: ctx.key, shape: shapes.named('type', type) });
  if (reply.status >= 400) throw faultOf(reply.status, reply.body, reply.retryAfterMs);
  const { source, data } = reply.body as { source: string; data: Record<string, unknown> };
  const sender = source.split(':')[3];
  const mine = (value: unknown): unknown => (value === sender ? unit : Array.isArray(value) ? value.map(mine) : value);
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, mine(value)]));
}

const PUBLISHED = { sdk: '^0.1.0', nest: '^0.1.0' };

/** From the folder that is named, else from the current one if it has them all. Throws Usage. */
function packagesOf(
  given: string | undefined,
  template: Template,
): { readonly versions: Packages; readonly files: readonly string[] } {
  const wanted = template === 'nest' ? (['sdk', 'nest'] as const) : (['sdk'] as const);
  const versions = { ...PUBLISHED };
  const folder = given ?? '.';
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // Said below: the tarballs are not there.
  }
  const tarball = (start: RegExp): string | undefined => names.find((one) => start.test(one) && one.endsWith('.tgz'));
  const files: string[] = [];
  for (const name of wanted) {
    const file = tarball(new RegExp(`^simpul-${name}-`));
    if (file === undefined) {
      if (given === undefined) return { versions: PUBLISHED, files: [] };
      throw new Usage(texts.no_tarball({ dir: folder, name: `simpul-${name}-….tgz` }));
    }
    versions[name] = `file:packages/${file}`;
    files.push(join(folder, file));
  }
  const simpul = tarball(/^simpul-\d/);
  if (simpul === undefined) return { versions, files };
  return {
    versions: { ...versions, simpul: `file:packages/${simpul}` },
    files: [...files, join(folder, simpul)],
  };
}
