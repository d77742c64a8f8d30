import type { Fault } from './fault.js';
import { FAULTS, type FaultRow } from './table.js';
import type { Language } from './text.js';

type StartRow = Pick<FaultRow, 'title' | 'hint'>;

/** Codes whose next step is another one for the person who starts a hub than for a caller of its doors, and `port_taken`, which only a start has. */
const AT_START: Readonly<Record<string, StartRow>> = {
  log_unavailable: {
    ...FAULTS.log_unavailable,
    hint: {
      id: 'Periksa apakah Kafka menyala, serta SIMPUL_KAFKA, SIMPUL_KAFKA_SASL dan SIMPUL_KAFKA_CA; lalu mulai lagi.',
      en: 'See that Kafka is up, and check SIMPUL_KAFKA, SIMPUL_KAFKA_SASL and SIMPUL_KAFKA_CA; then start again.',
    },
  },
  state_unavailable: {
    ...FAULTS.state_unavailable,
    hint: {
      id: 'Periksa apakah Redis menyala, serta SIMPUL_REDIS dan SIMPUL_REDIS_CA; lalu mulai lagi.',
      en: 'See that Redis is up, and check SIMPUL_REDIS and SIMPUL_REDIS_CA; then start again.',
    },
  },
  internal: {
    ...FAULTS.internal,
    hint: {
      id: 'Lihat hub.log di map data, dan laporkan isinya kepada pembuat Simpul.',
      en: 'See hub.log in the data folder, and report what it says to the makers of Simpul.',
    },
  },
  port_taken: {
    title: { id: 'Port sudah dipakai', en: 'The port is taken' },
    hint: { id: 'Pakai SIMPUL_PORT yang lain.', en: 'Use another SIMPUL_PORT.' },
  },
};

/** On the embedded engine log and state are files of the data folder. */
const folderHint: StartRow['hint'] = {
  id: 'Periksa map data (SIMPUL_DATA): hak baca dan tulis, ruang disk, dan diskanya; lalu mulai lagi.',
  en: 'Check the data folder (SIMPUL_DATA): rights to read and write, room on the disk, and the disk; then start again.',
};
const AT_START_EMBEDDED: typeof AT_START = {
  log_unavailable: { ...FAULTS.log_unavailable, hint: folderHint },
  state_unavailable: { ...FAULTS.state_unavailable, hint: folderHint },
};

/**
 * Why a start failed, for the person at the terminal: title, detail and next step of the code, on one line even when the detail has several. `engine`: the
 * next step is another one with Kafka and Redis. Total.
 */
export function startLine(
  code: string,
  detail: string,
  language: Language,
  engine: string | undefined = 'embedded',
): string {
  const known = FAULTS as Readonly<Record<string, StartRow | undefined>>;
  const row = (engine === 'kafka' ? undefined : AT_START_EMBEDDED[code]) ?? AT_START[code] ?? known[code];
  const oneLine = detail
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .trim()
    .replace(/\.$/, '');
  if (row === undefined) return `${code}: ${oneLine}`;
  return `${row.title[language]}${oneLine === '' ? '' : `: ${oneLine}`}. ${row.hint[language]}`;
}

const MAX_PROBLEMS = 20;

/**
 * The detail of a start line: the English detail of the fault, then each problem with its pointer in the language of the person. A detail that only
 * repeats the problems is left out. Total.
 */
export function startDetail({ detail = '', problems }: Fault, language: Language): string {
  const shown = problems
    .slice(0, MAX_PROBLEMS)
    .map((p) => `${p.pointer === '' ? '' : `${p.pointer}: `}${p.reason.in(language)}`);
  const repeated = problems.some((p) => detail.includes(p.reason.in('en')));
  return [repeated ? '' : detail, ...shown].filter((part) => part !== '').join('; ');
}
