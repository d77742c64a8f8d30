export { generateTypeScript, MARK, type GeneratedFile, type TypeScriptOptions, type TypeVersion } from './generate.js';
export type { Longs } from './typescript.js';
