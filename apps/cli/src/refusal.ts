import { FAULTS, isFault, startDetail, startLine, type FaultCode, type FaultRow, type Language } from '#faults';
import { isSdkFault } from '#sdk';
import { readTerminal } from '#settings';
import { Usage } from './usage.js';
import { texts } from './texts.js';

export const EXIT = { ok: 0, failed: 1, usage: 2, nothing: 3, login: 4, part: 5, unreachable: 6 } as const;

/** Writes to stderr why a command failed: title and detail, each pointer with its reason, the next step. Returns the exit code. */
export function showRefusal(e: unknown, lang: Language, url: string): number {
  const err = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  if (e instanceof Usage) {
    err(`✗ ${e.text.in(lang)}`);
    return EXIT.usage;
  }
  if (isFault(e)) {
    err(`✗ ${startLine(e.code, startDetail(e, lang), lang, readTerminal().engine)}`);
    return EXIT.failed;
  }
  if (!isSdkFault(e)) {
    err(`✗ ${e instanceof Error ? e.message : String(e)}`);
    return EXIT.failed;
  }
  if (e.code === 'foreign_answer') {
    err(`✗ ${texts.foreign_answer({ url, what: e.problem.detail ?? '' }).in(lang)}`);
    return EXIT.unreachable;
  }
  if (e.status === 0) {
    err(`✗ ${texts.hub_silent({ url }).in(lang)}`);
    err(`  ${texts.start_hub().in(lang)}   ${texts.or_other_address().in(lang)}`);
    return EXIT.unreachable;
  }
  const row = FAULTS[e.code as FaultCode] as FaultRow | undefined;
  err(
    `✗ ${e.status}  ${e.code}  ${e.problem.title ?? row?.title[lang] ?? ''}${e.problem.detail ? ` (${e.problem.detail})` : ''}`,
  );
  for (const p of e.problem.errors ?? [])
    err(
      `  ${p.index === undefined ? '' : `#${p.index} `}${p.pointer ?? ''}: ${p.reason ?? ''}${p.expected ? ` → ${p.expected}` : ''}`,
    );
  const hint = e.problem.hint ?? row?.hint[lang];
  if (hint) err(`  ${texts.next_step().in(lang)}: ${hint}`);
  return e.status === 401 ? EXIT.login : EXIT.failed;
}
