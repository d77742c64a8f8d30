export type Lang = 'id' | 'en';

export interface Frame {
  readonly date: string;
  readonly time: string;
  readonly engine: string;
  readonly url: string;
  readonly accepted: number;
  readonly refused: number;
  readonly lagSeconds: number | undefined;
  readonly units: number;
  readonly unitTotal: number;
  readonly progress: number;
  /** Newest last, at most four. */
  readonly facts: readonly Told[];
  /** All of the day, newest last. */
  readonly stories: readonly Told[];
}

/** A time of the day, and what happened. */
export interface Told {
  readonly label: string;
  readonly text: string;
}

/** 12.408 and 0,1 in Indonesian; 12,408 and 0.1 in English. */
export function number(n: number, lang: Lang, digits = 0): string {
  return n.toLocaleString(lang === 'id' ? 'id-ID' : 'en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

const ENGINES = {
  id: { embedded: 'mesin tertanam', kafka: 'mesin Kafka + Redis' },
  en: { embedded: 'embedded engine', kafka: 'Kafka + Redis engine' },
} as const;

function bar(progress: number, width = 14): string {
  const full = Math.round(progress * width);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}]`;
}

function spread(left: string, right: string, width: number): string {
  const gap = Math.max(2, width - left.length - right.length);
  return cut(left + ' '.repeat(gap) + right, width);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

const percent = (f: Frame, lang: Lang): string => `${number(Math.floor(f.progress * 100 + 1e-6), lang)} %`;

function counts(f: Frame, lang: Lang): string {
  const lag = f.lagSeconds === undefined ? '–' : number(f.lagSeconds, lang, 1);
  return lang === 'id'
    ? `diterima ${number(f.accepted, lang)}   ditolak ${number(f.refused, lang)}   tertinggal ${lag} dtk   unit ${number(f.units, lang)}/${number(f.unitTotal, lang)}`
    : `accepted ${number(f.accepted, lang)}   refused ${number(f.refused, lang)}   lag ${lag} s   units ${number(f.units, lang)}/${number(f.unitTotal, lang)}`;
}

/** Always four lines, never wider than the terminal. */
export function draw(f: Frame, lang: Lang, width: number): string[] {
  const w = Math.max(40, Math.min(width, 124));
  const engine = ENGINES[lang][f.engine === 'kafka' ? 'kafka' : 'embedded'];
  const title = lang === 'id' ? 'sehari di kementerian' : 'a day in the ministry';
  const half = Math.floor((w - 2) / 2);
  const fact = (i: number): string => {
    const x = f.facts[i];
    return x === undefined ? '' : cut(`${x.label} ${x.text}`, half);
  };
  const row = (a: string, b: string): string => (b === '' ? a : a.padEnd(half + 2) + b);
  return [
    spread(`Simpul · ${title} · ${f.date}, ${f.time} WIB`, `${engine} · ${f.url}`, w),
    spread(counts(f, lang), `${bar(f.progress)} ${percent(f, lang)}`, w),
    row(fact(0), fact(1)),
    row(fact(2), fact(3)),
  ];
}

/** The frame as one line, for a pipe. */
export function plain(f: Frame, lang: Lang): string {
  const last = f.facts.at(-1);
  return `${f.time} WIB  ${counts(f, lang)}  ${percent(f, lang)}${last === undefined ? '' : `  · ${last.text}`}`;
}
