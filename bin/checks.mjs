// The checks before the tests, in their order: `npm run check` runs them without the last, `npm test` all of them.
const code = ['apps', 'libs', 'deploy', 'test', 'examples', 'bin', 'jest.config.mjs'];
const prettier = 'node_modules/prettier/bin/prettier.cjs';

export const FORMAT = [prettier, '--write', '--log-level', 'warn', ...code];
export const CHECKS = [
  ['format', [prettier, '--check', '--log-level', 'warn', ...code]],
  [
    'lint and room rules',
    ['node_modules/oxlint/bin/oxlint', '--tsconfig', 'tsconfig.lint.json', '--deny-warnings', ...code.slice(0, 5)],
  ],
  ['types', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
];
export const GENERATED = ['generated files', ['bin/gen.mjs', '--check']];
