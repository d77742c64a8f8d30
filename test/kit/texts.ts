import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const libs = join(import.meta.dirname, '../../libs');

export interface Texts {
  /** Each text as the code writes it, with `{}` for what is filled in, and the files that say it. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** Expressions that are no text and lead to none: `file: expression`. */
  readonly unknown: ReadonlySet<string>;
}

type Call = ts.CallExpression | ts.NewExpression;

/**
 * The texts that source files of rooms give to a member or a parameter called `name` (`reason`, `expected`). Followed: literals, templates,
 * choices, functions that answer texts, constants. Parameters are found by their name, so a helper of any name is seen; `also` names more
 * (called name → place).
 */
export function textsGivenTo(
  name: string,
  files: readonly string[],
  also: Readonly<Record<string, number>> = {},
): Texts {
  const texts = new Map<string, string[]>();
  const unknown = new Set<string>();
  const sources = files.map((f) =>
    ts.createSourceFile(f, readFileSync(join(libs, f), 'utf8'), ts.ScriptTarget.Latest, true),
  );
  const places = new Map(Object.entries(also));
  const here = new Map<string, number | undefined>();
  const named = new Map<string, ts.Node>();
  for (const s of sources)
    each(s, (n) => {
      if (ts.isFunctionLike(n)) {
        const i = n.parameters.findIndex((p) => p.name.getText() === name);
        const called = calledName(n);
        if (called !== undefined && i >= 0) places.set(called, i);
        // A name of its own in this file hides the same name elsewhere.
        if (called !== undefined && (i >= 0 || !here.has(`${s.fileName} ${called}`)))
          here.set(`${s.fileName} ${called}`, i < 0 ? undefined : i);
      }
      if ((ts.isFunctionDeclaration(n) || ts.isVariableDeclaration(n)) && n.name) {
        const own = `${s.fileName} ${n.name.getText()}`;
        if (isTopLevel(n)) named.set(own, n).set(n.name.getText(), n);
        else if (!named.has(own)) named.set(own, n);
      }
    });

  const put = (e: ts.Node, file: string, depth = 0): void => {
    if (ts.isStringLiteralLike(e)) texts.set(e.text, [...(texts.get(e.text) ?? []), file]);
    else if (ts.isTemplateExpression(e))
      put(
        ts.factory.createStringLiteral(e.templateSpans.reduce((t, s) => `${t}{}${s.literal.text}`, e.head.text)),
        file,
      );
    else if (ts.isConditionalExpression(e)) [e.whenTrue, e.whenFalse].forEach((x) => put(x, file, depth));
    else if (ts.isParenthesizedExpression(e) || ts.isNonNullExpression(e) || ts.isAsExpression(e))
      put(e.expression, file, depth);
    else if (ts.isIdentifier(e) && e.text === name) return;
    else if (ts.isBinaryExpression(e) && e.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken)
      [e.left, e.right].forEach((x) => put(x, file, depth));
    else if (ts.isObjectLiteralExpression(e))
      for (const p of e.properties)
        if (ts.isPropertyAssignment(p)) put(p.initializer, file, depth);
        else unknown.add(`${file}: ${p.getText()}`);
    else if (ts.isArrayLiteralExpression(e))
      e.elements.filter((x) => !ts.isRegularExpressionLiteral(x)).forEach((x) => put(x, file, depth));
    else {
      const root = ts.isCallExpression(e) || ts.isElementAccessExpression(e) ? e.expression : e;
      const found = ts.isIdentifier(root) ? (named.get(`${file} ${root.text}`) ?? named.get(root.text)) : undefined;
      if (depth < 4 && found && ts.isVariableDeclaration(found) && found.initializer && !ts.isCallExpression(e))
        put(found.initializer, found.getSourceFile().fileName, depth + 1);
      else if (depth < 4 && found && ts.isFunctionDeclaration(found) && ts.isCallExpression(e))
        each(found, (n) => {
          if (ts.isReturnStatement(n) && n.expression) put(n.expression, found.getSourceFile().fileName, depth + 1);
        });
      else unknown.add(`${file}: ${e.getText()}`);
    }
  };
  for (const s of sources)
    each(s, (n) => {
      if (ts.isPropertyAssignment(n) && n.name.getText() === name) put(n.initializer, s.fileName);
      else if (ts.isVariableDeclaration(n) && n.initializer && names(n.name, name)) put(n.initializer, s.fileName);
      else if (ts.isCallExpression(n) || ts.isNewExpression(n)) {
        const called = calleeOf(n);
        const own = `${s.fileName} ${called}`;
        const i = called === undefined ? undefined : here.has(own) ? here.get(own) : places.get(called);
        const given = i === undefined ? undefined : n.arguments?.[i];
        if (given) put(given, s.fileName);
      }
    });
  return { texts, unknown };
}

/** Source files of rooms, without their tests, as paths under `libs/`. */
export function sourcesOf(...rooms: readonly string[]): string[] {
  return rooms.flatMap((room) =>
    globSync(`${room}/**/*.ts`, {
      cwd: libs,
      exclude: (f) => /\.(spec|fixture|child)\.ts$|conformance/.test(f),
    }).sort(),
  );
}

const names = (n: ts.BindingName, name: string): boolean =>
  ts.isIdentifier(n) ? n.text === name : n.elements.some((x) => ts.isBindingElement(x) && names(x.name, name));

function each(n: ts.Node, visit: (n: ts.Node) => void): void {
  visit(n);
  ts.forEachChild(n, (c) => each(c, visit));
}

const isTopLevel = (n: ts.Node): boolean =>
  ts.isSourceFile(n.parent) || (ts.isVariableDeclarationList(n.parent) && ts.isSourceFile(n.parent.parent.parent));

function calleeOf(n: Call): string | undefined {
  const e = n.expression;
  return ts.isPropertyAccessExpression(e) ? e.name.text : ts.isIdentifier(e) ? e.text : undefined;
}

/** The name a function is called by; of a function type the name in small: parameters of that type are called like it. */
function calledName(n: ts.SignatureDeclaration): string | undefined {
  if (ts.isConstructorDeclaration(n)) return n.parent.name?.text;
  if (n.name) return n.name.getText();
  const p = n.parent;
  if (ts.isTypeAliasDeclaration(p)) return p.name.text[0]!.toLowerCase() + p.name.text.slice(1);
  return ts.isVariableDeclaration(p) || ts.isPropertyAssignment(p) || ts.isPropertyDeclaration(p)
    ? p.name.getText()
    : undefined;
}
