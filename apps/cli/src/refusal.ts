import { FAULTS, isFault, startLine, type FaultCode } from '#faults';
import { isSdkFault } from '#sdk';
import { Usage, type Say } from './context.js';

export const EXIT = { ok: 0, failed: 1, usage: 2, nothing: 3, login: 4, part: 5, unreachable: 6 } as const;

/** What went wrong, in plain words on stderr: the text, each pointer with its reason, the next command. Answers the exit code. */
export function tellRefusal(e: unknown, say: Say, lang: 'id' | 'en', url: string): number {
  const err = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  if (e instanceof Usage) {
    err(`✗ ${e.message}`);
    return EXIT.usage;
  }
  if (isFault(e)) {
    err(`✗ ${startLine(e.code, e.detail ?? '', lang)}`);
    return EXIT.failed;
  }
  if (!isSdkFault(e)) {
    err(`✗ ${e instanceof Error ? e.message : String(e)}`);
    return EXIT.failed;
  }
  if (e.status === 0) {
    err(`✗ ${say(`Hub di ${url} tidak menjawab.`, `The hub at ${url} does not answer.`)}`);
    err(
      `  ${say('Nyalakan: npm start', 'Start it: npm start')}   ${say('atau sebut alamatnya: --url', 'or name its address: --url')}`,
    );
    return EXIT.unreachable;
  }
  const row = FAULTS[e.code as FaultCode] as (typeof FAULTS)[FaultCode] | undefined;
  err(
    `✗ ${e.status}  ${e.code}  ${e.problem.title ?? row?.[lang] ?? ''}${e.problem.detail ? ` (${e.problem.detail})` : ''}`,
  );
  for (const p of e.problem.errors ?? [])
    err(
      `  ${p.index === undefined ? '' : `#${p.index} `}${p.pointer ?? ''}: ${p.reason ?? ''}${p.expected ? ` → ${p.expected}` : ''}`,
    );
  const hint = e.problem.hint ?? row?.hint[lang];
  if (hint) err(`  ${say('Lanjut', 'Next')}: ${hint}`);
  return e.status === 401 ? EXIT.login : EXIT.failed;
}
