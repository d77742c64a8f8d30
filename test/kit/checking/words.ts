import type { Judgement } from './judge.js';

export type Lang = 'id' | 'en';

/** `id` unless the locale names another language. */
export function langOf(asked: string | undefined, locale: string | undefined): Lang {
  if (asked === 'id' || asked === 'en') return asked;
  return locale === undefined || locale === '' || /^(C|POSIX|id)\b/i.test(locale) ? 'id' : 'en';
}

const count = (n: number, lang: Lang): string => n.toLocaleString(lang === 'id' ? 'id-ID' : 'en-US');

/** The verdict line as a person reads it. */
export function verdictLine({ verdict: v, good }: Judgement, lang: Lang): string {
  const n = (x: number): string => count(x, lang);
  const mark = good ? '✔' : '✗';
  return lang === 'id'
    ? `${mark} ${n(v.published)} diumumkan · ${n(v.acknowledged)} tercatat · hilang ${n(v.lost)} · ganda ${n(v.doubled)} · salah urut ${n(v.misordered)} · diperiksa ulang dari log oleh pemeriksa terpisah`
    : `${mark} ${n(v.published)} published · ${n(v.acknowledged)} recorded · lost ${n(v.lost)} · doubled ${n(v.doubled)} · out of order ${n(v.misordered)} · checked again from the log by a separate checker`;
}

/** Three commands that work by copy. `keyFile`: where the admin key lies. */
export function tryLines(url: string, keyFile: string, lang: Lang): string[] {
  const auth = `-H "Authorization: Bearer $(cat ${keyFile})"`;
  const wrong = JSON.stringify({
    specversion: '1.0',
    id: 'coba-1',
    source: 'urn:simpul:unit:SU00071:simkim',
    type: 'imigrasi.paspor.diterbitkan',
    data: { nomorPermohonan: 'P-2021-1', tanggalTerbit: 'kemarin' },
  });
  const head = lang === 'id' ? 'Coba: ' : 'Try:  ';
  return [
    `${head} curl -s ${auth} '${url}/v1/streams/imigrasi.cegah/events?limit=1'`,
    `       npx simpul state get pas.hunian-unit SU00518`,
    `       curl -s ${auth} -H 'content-type: application/cloudevents+json' '${url}/v1/events?dryRun=true' -d '${wrong}'`,
  ];
}
