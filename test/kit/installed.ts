import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const PACKAGES = {
  '@simpul/sdk': { '.': 'sdk', './consuming': 'consuming', './webhooks': 'receiving' },
  '@simpul/nest': { '.': 'nest-kit', './kafka': 'kafka-source' },
};

/** Gives a project `node_modules` as an installation does, from the build of this repository and without npm; packages.e2e.spec.ts installs the tarballs. */
export function installBuild(project: string): void {
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  symlinkSync(join(root, 'node_modules/typescript/bin/tsc'), join(modules, '.bin/tsc'));
  for (const name of ['@nestjs', '@types', 'kafkajs', 'rxjs', 'reflect-metadata'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  for (const [name, subpaths] of Object.entries(PACKAGES)) {
    const folder = join(modules, name);
    mkdirSync(folder, { recursive: true });
    const exports = Object.entries(subpaths).map(([subpath, room]) => {
      const index = `export * from '${join(root, 'dist/libs', room, 'index.js')}';\n`;
      writeFileSync(join(folder, `${room}.js`), index);
      writeFileSync(join(folder, `${room}.d.ts`), index);
      return [subpath, { types: `./${room}.d.ts`, default: `./${room}.js` }];
    });
    const manifest = { name, version: '0.1.0', type: 'module', exports: Object.fromEntries(exports) as object };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  }
}
