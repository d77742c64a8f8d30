import { FAULTS, type FaultRow } from './table.js';

type Told = Pick<FaultRow, 'id' | 'en' | 'hint'>;

/** Where the person who starts a hub must do something else than a caller of its doors. */
const AT_START: Readonly<Record<string, Told>> = {
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
    id: 'Port sudah dipakai',
    en: 'The port is taken',
    hint: { id: 'Pakai SIMPUL_PORT yang lain.', en: 'Use another SIMPUL_PORT.' },
  },
};

/** Why a start failed, for the person at the terminal: what, where, the next step. One line whatever the code and detail. Total. */
export function startLine(code: string, detail: string, lang: 'id' | 'en'): string {
  const known = FAULTS as Readonly<Record<string, Told | undefined>>;
  const told = AT_START[code] ?? known[code];
  const where = detail
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .trim()
    .replace(/\.$/, '');
  if (told === undefined) return `${code}: ${where}`;
  return `${told[lang]}${where === '' ? '' : `: ${where}`}. ${told.hint[lang]}`;
}
