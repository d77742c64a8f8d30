import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** A package in node_modules of this repository. */
interface Installed {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

type Names = Readonly<Record<string, string>>;
interface Manifest {
  readonly peerDependencies?: Names;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly optionalDependencies?: Names;
}

/** The installed packages by name, the one that the repository itself imports first. Packages for other platforms are not installed, so they are left out. */
function installedPackages(): Map<string, Installed[]> {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly name?: string; readonly version?: string }>>;
  };
  const found = new Map<string, Installed[]>();
  for (const [path, { name, version }] of Object.entries(packages)) {
    const folder = join(root, path);
    if (path === '' || version === undefined || !existsSync(join(folder, 'package.json'))) continue;
    const own = name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const list = found.get(own) ?? [];
    list[path === `node_modules/${own}` ? 'unshift' : 'push']({ name: own, version, folder });
    found.set(own, list);
  }
  return found;
}

export interface NpmRegistry {
  readonly url: string;
  /** Names that were asked for and are not installed here. */
  readonly missing: ReadonlySet<string>;
  close(): Promise<void>;
}

/**
 * A registry for npm on 127.0.0.1 whose packages are those in node_modules of this repository, each in its installed version. With it a test installs packages as a
 * user does, by `npm install`, without a network.
 */
export async function openNpmRegistry(): Promise<NpmRegistry> {
  const packages = installedPackages();
  const missing = new Set<string>();
  let url = '';
  /** A manifest without the optional packages that are not here: npm stops at an optional peer that it cannot find. */
  const manifestOf = (folder: string) => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    const { peerDependencies = {}, peerDependenciesMeta = {}, optionalDependencies = {} } = manifest;
    const present = (names: Names, optional: (name: string) => boolean) =>
      Object.fromEntries(Object.entries(names).filter(([name]) => packages.has(name) || !optional(name)));
    return {
      ...manifest,
      peerDependencies: present(peerDependencies, (name) => peerDependenciesMeta[name]?.optional === true),
      optionalDependencies: present(optionalDependencies, () => true),
    };
  };
  const document = (name: string, versions: readonly Installed[]) => ({
    name,
    'dist-tags': { latest: versions[0]!.version },
    versions: Object.fromEntries(
      versions.map(({ version, folder }) => {
        return [version, { ...manifestOf(folder), dist: { tarball: `${url}/${name}/-/${version}.tar` } }];
      }),
    ),
  });
  const server = createServer((req, res) => {
    const [name = '', version] = decodeURIComponent(req.url ?? '')
      .slice(1)
      .split('/-/');
    const versions = packages.get(name);
    if (versions === undefined) {
      missing.add(name);
      res.writeHead(404).end('{}');
      return;
    }
    if (version === undefined) {
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document(name, versions)));
      return;
    }
    const { folder } = versions.find((v) => `${v.version}.tar` === version) ?? versions[0]!;
    const args = ['-cf', '-', '--exclude', 'node_modules', '-C', dirname(folder), basename(folder)];
    spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout.pipe(res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    missing,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
