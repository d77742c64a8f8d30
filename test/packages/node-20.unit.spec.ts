import { join, resolve } from 'node:path';
import { expect, it } from '@jest/globals';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
// A variable, because tsc would need types for the path of a script.
const script = '../../bin/packages.mjs';
const { LIBRARIES } = (await import(script)) as {
  readonly LIBRARIES: Readonly<Record<string, { readonly exports: Readonly<Record<string, string>> }>>;
};

it('the rooms of the packages for unit systems use nothing of JavaScript that Node.js 20 lacks', () => {
  const rooms = Object.values(LIBRARIES).flatMap(({ exports }) => Object.values(exports));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (f) => ts.sys.readFile(f)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, incremental: false, tsBuildInfoFile: undefined, noEmit: true },
    root,
  );
  // Node.js 20 has ES2023, and of ES2024 the well-formed strings. For Promise.withResolvers there is deferred() of #concurrency.
  const lib = ['lib.es2023.d.ts', 'lib.es2024.string.d.ts'];
  const files = rooms.map((room) => join(root, 'libs', room, 'index.ts'));
  const program = ts.createProgram(files, { ...options, lib });
  const told = ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, start, messageText }) =>
        `${file?.fileName.slice(root.length + 1)}:${file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
  expect(told).toEqual([]);
});
