import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

/*
 * Notation of docs/DESIGN.md that this spec reads:
 * - a code span that ends in .ts, .mjs, .md, .json, … is the path of a file, always from the root of the repository;
 * - code spans behind it, separated by one blank or by ", ", are names that this file declares: `libs/log/appender.ts` `Appender.append`;
 * - the tables of the sections "Files over 400 lines" and "Glossary" begin each row with what the row is about.
 */
const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const page = read('docs/DESIGN.md');

/** The text of a heading down to the next heading of the same or a higher level. */
function section(heading: string): string {
  const [begin] = new RegExp(`^#+ ${heading}$`, 'm').exec(page) ?? [];
  if (begin === undefined) throw new Error(`docs/DESIGN.md has no heading "${heading}"`);
  const level = begin.indexOf(' ');
  const text = page.slice(page.indexOf(begin) + begin.length);
  return text.slice(0, new RegExp(`^#{1,${level}} `, 'm').exec(text)?.index ?? text.length);
}

/** The first cell of every row of the tables in a text, without code marks and without the header rows. */
function firstCells(text: string): string[] {
  const lines = text.split('\n');
  const rows = lines.filter((line, i) => /^\| [^-]/.test(line) && !/^\|-/.test(lines[i + 1] ?? ''));
  return rows.map((row) => row.split('|')[1]!.trim().replaceAll('`', ''));
}

interface Named {
  readonly file: string;
  readonly names: readonly string[];
  readonly line: number;
}

const PATH = /^(?:[\w.@-]+\/)+[\w.@-]+\.(?:ts|mts|mjs|md|json|py|php|avsc|svg)$|^[\w.@-]+\.(?:ts|mts|mjs|md)$/;
const NAME = /^#?[A-Za-z_$][\w$]*(?:\.#?[\w$]+)*$/;

/** Every file that the page names, with the names that stand directly behind it. */
function namedFiles(text: string): Named[] {
  const out: Named[] = [];
  for (const [at, content] of text.split('\n').entries()) {
    const spans = [...content.matchAll(/`([^`]+)`/g)];
    for (const [i, span] of spans.entries()) {
      const file = span[1]!;
      if (!PATH.test(file)) continue;
      const names: string[] = [];
      let end = span.index + span[0].length;
      for (const next of spans.slice(i + 1)) {
        const between = content.slice(end, next.index);
        if ((between !== ' ' && between !== ', ') || !NAME.test(next[1]!) || PATH.test(next[1]!)) break;
        names.push(next[1]!);
        end = next.index + next[0].length;
      }
      out.push({ file, names, line: at + 1 });
    }
  }
  return out;
}

/** Whether a file declares `name`, or a class or interface with the member `Name.member`. */
function declares(text: string, name: string): boolean {
  const [first, ...members] = name.split('.') as [string, ...string[]];
  const declared = new RegExp(`\\b(?:class|function\\*?|const|let|interface|type|enum) ${first}\\b`).test(text);
  const isMember = (member: string): boolean =>
    new RegExp(
      `^\\s*(?:(?:async|static|get|readonly|override|private|protected) )*\\*?${member}[?!]?\\s*[(:<=;]`,
      'm',
    ).test(text);
  return declared && members.every(isMember);
}

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, '')
    .replaceAll(' ', '-');
const anchors = (text: string): Set<string> =>
  new Set([...text.matchAll(/^#+ (.+)$/gm)].map((m) => slug(m[1]!.replaceAll('`', ''))));

const rooms = readdirSync(join(root, 'libs'), { withFileTypes: true })
  .filter((e) => e.isDirectory())
  .map((e) => e.name);

/** The types and classes that a room exports. Those of event-types are generated, and their contracts describe them. */
function exportedTypes(room: string): string[] {
  if (room === 'event-types') return [];
  const exports = [...read(`libs/${room}/index.ts`).matchAll(/\{([^}]*)\}/g)].flatMap((m) => m[1]!.split(','));
  const names = exports.map((e) => /(?:as )?(\w+)\s*$/.exec(e.trim())?.[1] ?? '');
  return names.filter((n) => /^[A-Z][a-z]/.test(n));
}

/** Names whose meaning is their suffix: the settings, the dependencies and the reports of another name. */
const ACCESSORY = /(?:Options|Deps|Report)$/;

describe('docs/DESIGN.md', () => {
  const named = namedFiles(page);

  it('names only files that exist', () => {
    expect(named.length).toBeGreaterThan(150);
    const missing = named.filter(({ file }) => !existsSync(join(root, file)));
    expect(
      missing.map(({ file, line }) => `docs/DESIGN.md:${line}: ${file} is no file; if it was renamed, rename it here`),
    ).toEqual([]);
  });

  it('names only classes, functions and methods that their file declares', () => {
    const wrong = named
      .filter(({ file, names }) => names.length > 0 && existsSync(join(root, file)))
      .flatMap(({ file, names, line }) => {
        const text = read(file);
        return names.filter((n) => !declares(text, n)).map((n) => `docs/DESIGN.md:${line}: ${file} declares no ${n}`);
      });
    expect(wrong).toEqual([]);
  });

  it('names only error codes, metrics, topics, headers, settings and log texts that the code has', () => {
    const code = readdirSync(join(root, 'libs'), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.ts') && !f.endsWith('.spec.ts'))
      .map((f) => read(`libs/${f}`))
      .join('\n');
    const words = [...page.matchAll(/`([a-z]+(?:_[a-z]+)+|_simpul\.\w+|_schemas|simpul-[a-z]+|SIMPUL_[A-Z_]+)`/g)];
    const lines = [...page.matchAll(/log lines? ((?:`[^`]+`(?:, )?)+)/g)].flatMap((m) => [
      ...m[1]!.matchAll(/`([^`]+)`/g),
    ]);
    expect(lines.length).toBeGreaterThan(3);
    const unknown = [...words, ...lines].map((m) => m[1]!).filter((word) => !code.includes(word));
    expect([...new Set(unknown)]).toEqual([]);
  });

  it('links only to headings that exist, in itself and in the rules', () => {
    const own = anchors(page);
    const rules = anchors(read('docs/rules.md'));
    const broken = [...page.matchAll(/\]\((rules\.md)?#([^)]+)\)/g)].filter(
      ([, file, anchor]) => !(file === undefined ? own : rules).has(anchor!),
    );
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it('lists exactly the production files over 400 lines, each with its reason', () => {
    const folders = ['apps', 'libs', 'deploy', 'bin', 'test/kit'];
    const long = folders
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
          (f) => `${folder}/${f.replaceAll('\\', '/')}`,
        ),
      )
      .filter((f) => /\.(ts|mts|mjs)$/.test(f) && !/\.spec\.ts$|(^|\/)(node_modules|vendor|dist)\//.test(f))
      .filter((f) => read(f).split('\n').length - 1 > 400);
    expect(firstCells(section('Files over 400 lines')).sort()).toEqual(long.sort());
  });

  it('has a line of its glossary for every room, and for every type that a room exports; names nothing that no room exports', () => {
    const words = new Set(firstCells(section('12\\. Glossary')).flatMap((cell) => cell.split(', ')));
    const exported = new Map(rooms.map((room) => [room, exportedTypes(room)]));
    const missing = [
      ...rooms.filter((room) => !words.has(room)).map((room) => `the room ${room}`),
      ...[...exported].flatMap(([room, names]) =>
        names.filter((n) => !ACCESSORY.test(n) && !words.has(n)).map((n) => `${n} of the room ${room}`),
      ),
    ];
    const all = new Set([...exported.values()].flat());
    const unknown = [...words].filter((w) => /^[A-Z][a-z]\w*$/.test(w) && !all.has(w));
    expect({ missing: missing.sort(), unknown }).toEqual({ missing: [], unknown: [] });
  });
});
