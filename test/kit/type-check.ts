import { join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
/** A folder that does not exist: imports such as `#sdk` resolve as in any file of the repository. */
const FOLDER = join(root, 'test/kit/type-checked');

/** The settings of a careful unit: strict, and exact about optional properties. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noUnusedLocals: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
  customConditions: ['simpul-source'],
};

/** What the compiler says about these files, which exist in memory only: `name.ts:3 TS2322 …`. Empty: they compile. */
export function typeErrors(files: Readonly<Record<string, string>>): string[] {
  const texts = new Map(Object.entries(files).map(([name, text]) => [join(FOLDER, name), text]));
  const host = ts.createCompilerHost(OPTIONS);
  const { readFile, fileExists, getSourceFile, directoryExists } = host;
  host.readFile = (file) => texts.get(file) ?? readFile(file);
  host.fileExists = (file) => texts.has(file) || fileExists(file);
  host.directoryExists = (dir) => dir.startsWith(FOLDER) || directoryExists!(dir);
  host.getSourceFile = (file, language, ...more) => {
    const text = texts.get(file);
    return text === undefined ? getSourceFile(file, language, ...more) : ts.createSourceFile(file, text, language);
  };
  const program = ts.createProgram([...texts.keys()], OPTIONS, host);
  const found = [...texts.keys()].flatMap((file) => {
    const source = program.getSourceFile(file)!;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
  return found.map(({ file, start, code, messageText }) => {
    const at = file === undefined ? '' : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    const text = ts.flattenDiagnosticMessageText(messageText, ' ').slice(0, 300);
    return `${file?.fileName.slice(FOLDER.length + 1) ?? ''}:${at} TS${code} ${text}`;
  });
}
