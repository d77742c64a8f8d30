const swc = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2024',
    keepClassNames: true,
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};
const tier = (name) => ({
  displayName: name,
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['simpul-source', 'node', 'node-addons'] },
  testMatch: [`<rootDir>/{apps,libs,deploy,test}/**/*.${name}.spec.ts`],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.simpul/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
});
export default {
  projects: ['unit', 'int', 'e2e'].map(tier),
  reporters: ['default', '<rootDir>/test/totals.mjs'],
  testTimeout: 60_000,
  // Modules of spec files stay in the memory of a worker; with gigabytes of them each garbage collection takes seconds.
  workerIdleMemoryLimit: '600MB',
  collectCoverageFrom: ['{apps,libs}/**/*.ts', '!**/*.spec.ts'],
};
