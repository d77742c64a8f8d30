import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const RULES = 'docs/rules.md';

/** Text files that people write, relative to the repository. This spec is left out, because it contains the words that it forbids. */
function textFiles(): string[] {
  const folders = ['apps', 'bin', 'deploy', 'docs', 'examples', 'libs', 'schemas', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
      .filter((file) => !/(^|\/)(node_modules|vendor|__pycache__)\//.test(file)),
  );
  return [...folders, ...readdirSync(root)]
    .filter((file) => /\.(ts|mts|mjs|md|py|php|sh)$/.test(file) && file !== 'test/docs/rules.unit.spec.ts')
    .sort();
}
const texts = new Map(textFiles().map((file) => [file, readFileSync(join(root, file), 'utf8')]));

interface Rule {
  readonly id: string;
  readonly why: readonly string[];
  readonly proof: readonly string[];
}

/** The rules of docs/rules.md: each `### R2.3 Title` with its `- Why:` and `- Proof:` lines. */
function readRules(page: string): Rule[] {
  return page
    .split(/^### /m)
    .slice(1)
    .map((part) => ({
      id: /^R\d+\.\d+(?= )/.exec(part)?.[0] ?? part.slice(0, 20),
      why: [...part.matchAll(/^- Why: (.+)$/gm)].map((m) => m[1]!),
      proof: [...part.matchAll(/^- Proof: (.+)$/gm)].map((m) => m[1]!),
    }));
}
const page = texts.get(RULES)!;
const rules = readRules(page);
const groups = new Set([...page.matchAll(/^## (R\d+) /gm)].map((m) => m[1]!));
const ids = new Set(rules.map((r) => r.id));
const NOT_BUILT = /^no code yet; proven when .+$/;
// The cases in test/kit/bad-input/ are tests of libs/http/bad-input.int.spec.ts.
const isSpec = (file: string): boolean =>
  /\.spec\.ts$|^libs\/[\w-]+\/conformance\/[\w-]+\.ts$|^test\/kit\/bad-input\/\w+\.ts$/.test(file);

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** The quoted text of a spec that shares most words with a test name. */
function nearest(name: string, spec: string): string {
  const words = (text: string): Set<string> => new Set(text.toLowerCase().match(/[a-z0-9]+/g));
  const wanted = words(name);
  const score = (text: string): number => {
    const common = [...words(text)].filter((w) => wanted.has(w)).length;
    return common / (words(text).size + wanted.size - common || 1);
  };
  const quoted = [...spec.matchAll(/'((?:[^'\\\n]|\\.){8,})'/g)].map((m) => m[1]!);
  return quoted.reduce((best, text) => (score(text) > score(best) ? text : best), '');
}

/** `file:line: match` for every match in the text files. */
function found(pattern: RegExp, wrong: (match: RegExpExecArray) => boolean): string[] {
  const out: string[] = [];
  for (const [file, text] of texts)
    for (const match of text.matchAll(pattern))
      if (wrong(match)) out.push(`${file}:${lineOf(text, match.index)}: ${match[0]}`);
  return out;
}

describe('the rules in docs/rules.md', () => {
  it('are R1 to R16; each statement has its own number in order, one reason and one line of proof', () => {
    expect([...groups]).toEqual(Array.from({ length: 16 }, (_, i) => `R${i + 1}`));
    const expected = [...groups].flatMap((group) =>
      rules.filter((r) => r.id.startsWith(`${group}.`)).map((_, i) => `${group}.${i + 1}`),
    );
    expect(rules.map((r) => r.id)).toEqual(expected);
    expect(rules.filter((r) => r.why.length !== 1 || r.proof.length !== 1).map((r) => r.id)).toEqual([]);
    for (const group of groups) expect([group, ids.has(`${group}.1`)]).toEqual([group, true]);
  });

  it('name for each proof a spec file and a test that exist, none twice, or say that there is no code yet', () => {
    const problems: string[] = [];
    for (const { id, proof } of rules) {
      const text = proof[0] ?? '';
      if (NOT_BUILT.test(text)) continue;
      const parts = [...text.matchAll(/`([^`]+)`((?:,? “[^”]+”)*)/g)];
      if (parts.length === 0) problems.push(`${id} names no spec`);
      const seen = new Set<string>();
      const once = (what: string): void => {
        if (seen.has(what)) problems.push(`${id} cites ${what} twice`);
        seen.add(what);
      };
      for (const [, file, names] of parts as unknown as [string, string, string][]) {
        once(file);
        if (names === '') problems.push(`${id}: ${file} is cited without the name of a test`);
        const spec = isSpec(file) ? texts.get(file) : undefined;
        if (spec === undefined) {
          const name = file.slice(file.lastIndexOf('/') + 1);
          const moved = [...texts.keys()].filter((f) => f.endsWith(`/${name}`));
          problems.push(`${id}: ${file} is no spec of this repository. Moved to ${moved.join(' or ') || '?'}`);
          continue;
        }
        for (const [, name] of names.matchAll(/“([^”]+)”/g) as IterableIterator<RegExpExecArray>) {
          once(`${file} “${name}”`);
          if (!spec.replaceAll("\\'", "'").includes(name!))
            problems.push(`${id}: ${file} has no test “${name}”. Renamed to “${nearest(name!, spec)}”?`);
        }
      }
    }
    expect(problems).toEqual([]);
  });

  it('contain every rule that code, comments and documents cite', () => {
    expect(found(/\bR\d+(?:\.\d+)?\b/g, ([id]) => !ids.has(id) && !groups.has(id))).toEqual([]);
  });
});

it('comments and documents do not refer to anything outside the repository', () => {
  const outside =
    /\bissue (?:item )?#?\d+|\bitem \d+ of the issue|\bDESIGN(?:\.md)?,? section \d+|\.\.\/shared\b|\/work\/|\bhouse (?:plan|style)\b|\b(?:first|original) plan\b/gi;
  expect(found(outside, () => true)).toEqual([]);
});

it('links in documents point to files that exist', () => {
  const broken = [...texts]
    .filter(([file]) => file.endsWith('.md'))
    .flatMap(([file, text]) =>
      [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((m) => join(file, '..', m[1]!))
        .filter((target) => {
          try {
            readdirSync(join(root, target));
            return false;
          } catch (e) {
            return (e as NodeJS.ErrnoException).code !== 'ENOTDIR';
          }
        })
        .map((target) => `${file}: ${target}`),
    );
  expect(broken).toEqual([]);
});
