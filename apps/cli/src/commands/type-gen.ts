import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { compileEventContract, nearest, type EventContract } from '#avro';
import { generateTypeScript, MARK, type GeneratedFile, type Longs, type TypeVersion } from '#codegen';
import { isTypeName } from '#event';
import { innermostMessage, isFault, type Language } from '#faults';
import { shapes } from '#sdk';
import type { Context } from '../context.js';
import type { Run } from '../program.js';
import { EXIT } from '../refusal.js';
import { textOf } from '../text-file.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';

interface Options {
  readonly out: string;
  readonly from?: string;
  readonly sdk: string;
  readonly longs: string;
}

/** `simpul type gen`. The language of the code shares its option `--lang` with the language of the terminal. */
export function genCommand(type: Command, program: Command, run: Run): void {
  let spoken: string | undefined;
  program.on('option:lang', (lang: string) => {
    if (lang !== 'ts') spoken = lang;
  });
  type
    .command('gen [types...]')
    .description(
      'typed code of event types: TypeScript types and tokens (all types, or those named; TYPE@VERSION for an older version)',
    )
    .requiredOption('--out <dir>', 'folder of the generated files; those of an earlier run are replaced')
    .option('--lang <lang>', 'language of the code: ts')
    .option('--from <place>', 'address of a hub, or a folder with contracts (.avsc); default: the hub of --url')
    .option('--sdk <module>', 'module that the files import', '@simpul/sdk')
    .option('--longs <form>', 'longs as text (a number, beyond 2^53 text) or as bigint', 'text')
    .addHelpText(
      'after',
      '\nExample:\n  simpul type gen --lang ts --out src/events imigrasi.paspor.diterbitkan\n  simpul type gen --lang ts --out src/events --from schemas/ imigrasi',
    )
    .action((wanted: string[], o: Options) => {
      program.setOptionValue('lang', spoken);
      const isHub = o.from === undefined || /^https?:\/\//.test(o.from);
      if (isHub && o.from !== undefined) program.setOptionValue('url', o.from);
      return run(async (ctx) => {
        const { longs, sdk } = o;
        if (longs !== 'text' && longs !== 'bigint')
          throw new Usage(texts.one_of({ given: `--longs ${longs}`, names: 'text, bigint' }));
        const { contracts, known } = isHub ? await fromHub(ctx, wanted) : fromFolder(o.from!, wanted, ctx.lang);
        const files = generateTypeScript(contracts, { sdk, longs: longs satisfies Longs, known });
        const { written, removed } = writeAll(o.out, files);
        process.stdout.write(
          `${ctx.say(texts.generated({ count: contracts.length, dir: o.out, written: String(written), removed: String(removed) }))}\n`,
        );
        return EXIT.ok;
      }, !isHub);
    });
}

/** The code of the newest version of one type of the hub; the file of its token, without its ending, and the name of the token. Writes nothing. Throws Usage. */
export async function codeFromHub(
  ctx: Context,
  type: string,
): Promise<{ readonly files: readonly GeneratedFile[]; readonly module: string; readonly token: string }> {
  const { contracts, known } = await fromHub(ctx, [type]);
  const files = generateTypeScript(contracts, { sdk: '@simpul/sdk', longs: 'text', known });
  for (const { name, text } of files) {
    const token = /^export const (\w+) = defineEvent/m.exec(text)?.[1];
    if (token !== undefined) return { files, module: name.replace(/\.ts$/, ''), token };
  }
  throw new Usage(texts.no_such_type({ type, place: ctx.url }));
}

interface Found {
  readonly contracts: readonly EventContract[];
  /** The newest version of every type of the place. */
  readonly known: readonly TypeVersion[];
}

interface Wish {
  readonly name: string;
  readonly version: number | undefined;
}

function wishOf(text: string): Wish {
  const [, name = text, version] = /^(.*?)(?:@([1-9]\d{0,8}))?$/.exec(text) ?? [];
  return { name, version: version === undefined ? undefined : Number(version) };
}

/** A type by its name, all types of a stream or of a domain by the beginning of their names. */
const isMeant = ({ name }: Wish, type: string): boolean => type === name || type.startsWith(`${name}.`);

/** The wishes that name types; without any, all types. Throws Usage for one that names none. */
function chosen(wanted: readonly string[], types: readonly string[], place: string): readonly Wish[] {
  if (wanted.length === 0) return types.map((name) => ({ name, version: undefined }));
  return wanted.map(wishOf).flatMap((wish) => {
    const meant = types.filter((type) => isMeant(wish, type));
    if (meant.length === 0) {
      const near = nearest(wish.name, types);
      throw new Usage(
        near === undefined
          ? texts.no_such_type({ type: wish.name, place })
          : texts.no_such_type_near({ type: wish.name, place, near }),
      );
    }
    return meant.map((name) => ({ name, version: wish.version }));
  });
}

async function fromHub(ctx: Context, wanted: readonly string[]): Promise<Found> {
  const rows = await ctx.rows('/v1/event-types', 'types', shapes.texts('type'), 10_000);
  const known = rows
    .map((row) => ({ type: String(row['type']), version: Number(row['version']) }))
    .filter(({ type }) => isTypeName(type));
  const wishes = chosen(
    wanted,
    known.map(({ type }) => type),
    ctx.url,
  );
  const contracts = new Map<string, EventContract>();
  for (const { name, version } of wishes) {
    const query = version === undefined ? '' : `?version=${version}`;
    const path = `/v1/event-types/${encodeURIComponent(name)}`;
    const { body } = await ctx.get(`${path}${query}`, shapes.named('type', name)).catch((e: unknown) => {
      if ((e as { code?: unknown }).code !== 'not_found') throw e;
      throw new Usage(texts.no_such_type({ type: `${name}@${version}`, place: ctx.url }));
    });
    const contract = contractOf(
      JSON.stringify((body as { schema?: unknown }).schema ?? null),
      `${ctx.url}${path}`,
      ctx.lang,
    );
    contracts.set(keyOf(contract), contract);
  }
  return { contracts: [...contracts.values()], known };
}

const keyOf = ({ properties: { type, version } }: EventContract): string => `${type}@${version}`;

function fromFolder(place: string, wanted: readonly string[], lang: Language): Found {
  const found = new Map<string, { readonly contract: EventContract; readonly file: string }>();
  for (const file of contractFiles(place)) {
    const contract = contractOf(textOf(readFileSync(file), file), file, lang);
    const key = keyOf(contract);
    const other = found.get(key);
    if (other !== undefined && other.contract.schemaText !== contract.schemaText)
      throw new Usage(texts.version_in_two_files({ type: key, file, other: other.file }));
    found.set(key, { contract, file });
  }
  const versions = [...found.values()].map(({ contract }) => contract);
  const newest = new Map<string, EventContract>();
  for (const contract of versions) {
    const { type, version } = contract.properties;
    if (version > (newest.get(type)?.properties.version ?? 0)) newest.set(type, contract);
  }
  const known = [...newest.values()].map(({ properties: { type, version } }) => ({ type, version }));
  const contracts = new Map<string, EventContract>();
  for (const { name, version } of chosen(wanted, [...newest.keys()], place)) {
    const contract = version === undefined ? newest.get(name) : found.get(`${name}@${version}`)?.contract;
    if (contract === undefined) throw new Usage(texts.no_such_type({ type: `${name}@${version}`, place }));
    contracts.set(keyOf(contract), contract);
  }
  return { contracts: [...contracts.values()], known };
}

function contractFiles(place: string): readonly string[] {
  try {
    if (statSync(place).isFile()) return [place];
    const files = readdirSync(place, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.avsc') && !name.includes('node_modules'))
      .sort();
    if (files.length === 0) throw new Usage(texts.no_contracts({ place }));
    return files.map((name) => join(place, name));
  } catch (e) {
    if (e instanceof Usage) throw e;
    throw new Usage(texts.contracts_unreadable({ place, why: innermostMessage(e) }));
  }
}

function contractOf(schema: string, place: string, lang: Language): EventContract {
  try {
    return compileEventContract(schema);
  } catch (e) {
    if (!isFault(e)) throw e;
    const [problem] = e.problems;
    const why = problem === undefined ? (e.detail ?? e.code) : `${problem.pointer} ${problem.reason.in(lang)}`.trim();
    throw new Usage(texts.not_a_contract({ place, why }));
  }
}

/** Writes what differs and removes generated files that are not among these. Throws Usage before it changes anything when a file of that name is somebody's own. */
function writeAll(dir: string, files: readonly GeneratedFile[]): { written: number; removed: number } {
  try {
    mkdirSync(dir, { recursive: true });
    const before = new Map<string, string>();
    for (const name of readdirSync(dir))
      if (name.endsWith('.ts')) before.set(name, readFileSync(join(dir, name), 'utf8'));
    const names = new Set(files.map(({ name }) => name));
    for (const [name, text] of before)
      if (names.has(name) && !text.startsWith(MARK)) throw new Usage(texts.not_generated({ file: join(dir, name) }));
    let written = 0;
    for (const { name, text } of files) {
      if (before.get(name) === text) continue;
      writeFileSync(join(dir, name), text);
      written++;
    }
    const stale = [...before].filter(([name, text]) => !names.has(name) && text.startsWith(MARK));
    for (const [name] of stale) rmSync(join(dir, name));
    return { written, removed: stale.length };
  } catch (e) {
    if (e instanceof Usage) throw e;
    throw new Usage(texts.out_unwritable({ dir, why: innermostMessage(e) }));
  }
}
