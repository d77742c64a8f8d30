import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
// A variable, because tsc would need types for the path of a script.
const script = '../../bin/rooms.mjs';
const { ROOMS } = (await import(script)) as {
  ROOMS: Readonly<Record<string, { readonly rooms: readonly string[]; readonly clients: readonly string[] }>>;
};

/** The imports of a room without its specs and conformance suite: rooms as `#name`, packages by name. */
function importsOf(room: string): Set<string> {
  const files = readdirSync(join(root, 'libs', room), { recursive: true, encoding: 'utf8' }).filter(
    (f) => f.endsWith('.ts') && !/\.(spec|fixture|child)\.ts$/.test(f) && !f.startsWith('conformance'),
  );
  const statements = /^(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|^import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;
  return new Set(
    files.flatMap((f) =>
      [...readFileSync(join(root, 'libs', room, f), 'utf8').matchAll(statements)].map((m) => (m[1] ?? m[2] ?? m[3])!),
    ),
  );
}

it('bin/rooms.mjs lists every room of libs/ and no other', () => {
  const folders = readdirSync(join(root, 'libs')).filter((name) => existsSync(join(root, 'libs', name, 'index.ts')));
  expect(Object.keys(ROOMS).sort()).toEqual(folders.sort());
});

it('bin/rooms.mjs allows only imports that the code of the room uses', () => {
  const unused = Object.entries(ROOMS).flatMap(([room, { rooms, clients }]) => {
    const used = importsOf(room);
    const uses = (name: string): boolean =>
      name.endsWith('*') ? [...used].some((u) => u.startsWith(name.slice(0, -1))) : used.has(name);
    return [...rooms.filter((r) => !used.has(`#${r}`)), ...clients.filter((c) => !uses(c))].map(
      (name) => `remove ${name} from ${room} in bin/rooms.mjs`,
    );
  });
  expect(unused).toEqual([]);
});
