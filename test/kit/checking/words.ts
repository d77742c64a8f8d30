import type { Judgement } from './judge.js';

export type Lang = 'id' | 'en';

/** The language for a person: as asked, else Indonesian unless the locale names another language. */
export function langOf(asked: string | undefined, locale: string | undefined): Lang {
  if (asked === 'id' || asked === 'en') return asked;
  return locale === undefined || locale === '' || /^(C|POSIX|id)\b/i.test(locale) ? 'id' : 'en';
}

const count = (n: number, lang: Lang): string => n.toLocaleString(lang === 'id' ? 'id-ID' : 'en-US');

/** The verdict in one line. */
export function verdictLine({ verdict: v, good }: Judgement, lang: Lang): string {
  const n = (x: number): string => count(x, lang);
  const mark = good ? '✔' : '✗';
  const kafka =
    v.kafka === undefined
      ? ''
      : lang === 'id'
        ? ` · ${n(v.kafka.received)} dari ${n(v.kafka.due)} diterima direktorat langsung dari Kafka`
        : ` · ${n(v.kafka.received)} of ${n(v.kafka.due)} received by directorates straight from Kafka`;
  return lang === 'id'
    ? `${mark} ${n(v.published)} diumumkan · ${n(v.acknowledged)} tercatat · hilang ${n(v.lost)} · ganda ${n(v.doubled)} · salah urut ${n(v.misordered)}${kafka} · diperiksa ulang dari log oleh pemeriksa terpisah`
    : `${mark} ${n(v.published)} published · ${n(v.acknowledged)} recorded · lost ${n(v.lost)} · doubled ${n(v.doubled)} · out of order ${n(v.misordered)}${kafka} · checked again from the log by a separate checker`;
}

/** What subscriptions got, in one line; undefined: there was none. */
export function deliveriesLine({ verdict }: Judgement, lang: Lang): string | undefined {
  const d = verdict.deliveries;
  if (d === undefined) return undefined;
  const n = (x: number): string => count(x, lang);
  const mark = d.misordered + d.missing === 0 ? '✔' : '✗';
  return lang === 'id'
    ? `${mark} ${n(d.subscriptions)} langganan webhook · ${n(d.matched)} cocok · ${n(d.delivered)} terkirim · diparkir ${n(d.parked)} · gagal akhir ${n(d.dead)} · salah urut ${n(d.misordered)} · tidak sampai ${n(d.missing)}`
    : `${mark} ${n(d.subscriptions)} webhook subscriptions · ${n(d.matched)} matched · ${n(d.delivered)} delivered · parked ${n(d.parked)} · dead ${n(d.dead)} · out of order ${n(d.misordered)} · missing ${n(d.missing)}`;
}

export interface TryWith {
  readonly url: string;
  /** Data folder of the hub, quoted for a shell. */
  readonly data: string;
  /** File with the key of the unit that sends the invalid event, quoted for a shell. */
  readonly unitKey: string;
}

/** Three commands that work by copy and paste: read a stream, read a state, send an invalid event (the hub refuses it). */
export function tryLines({ url, data, unitKey }: TryWith, lang: Lang): string[] {
  const auth = (file: string): string => `-H "Authorization: Bearer $(cat ${file})"`;
  const wrong = JSON.stringify({
    specversion: '1.0',
    id: 'coba-1',
    source: 'urn:simpul:unit:SU00071:simkim',
    type: 'imigrasi.paspor.diterbitkan',
    data: { nomorPermohonan: 'P-2021-1', tanggalTerbit: 'kemarin' },
  });
  const head = lang === 'id' ? 'Coba: ' : 'Try:  ';
  return [
    `${head} curl -s ${auth(`${data}/admin.key`)} '${url}/v1/streams/imigrasi.cegah/events?limit=1'`,
    `       ./bin/simpul.mjs --url ${url} --data ${data} state get pas.hunian-unit SU00518`,
    `       curl -s ${auth(unitKey)} -H 'content-type: application/cloudevents+json' '${url}/v1/events' -d '${wrong}'`,
  ];
}
