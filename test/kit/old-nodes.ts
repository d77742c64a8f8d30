import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** A Node.js on this machine. */
export interface NodeProgram {
  readonly version: string;
  readonly path: string;
}

/**
 * Node.js programs of this machine on which the packages for unit systems must run, one for each major version: the running one, those that `npm run campaign` and
 * CI bring into .simpul/node, and those on the PATH.
 */
export function nodesOfThisMachine(): readonly NodeProgram[] {
  const brought = globSync('.simpul/node/*/node_modules/*/bin/node').map((p) => resolve(p));
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  const found = new Map<string, NodeProgram>();
  for (const path of [process.execPath, ...brought, ...onPath].filter((p) => existsSync(p))) {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
    const major = /^v(20|22|24)\./.exec(version)?.[1];
    if (major !== undefined && !found.has(major)) found.set(major, { version, path });
  }
  return [...found.values()];
}
