import { pause } from '#concurrency';
import { FAULTS, type FaultCode } from '#faults';
import { numbered, type Day, type Flow } from '../day.js';
import type { History } from '../history.js';
import type { Office } from '../office.js';
import { person } from '../people.js';

interface InvalidRequest {
  readonly name: string;
  readonly times: number;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly id?: string;
  /** The id is that of an accepted event with other content (R2.5). */
  readonly reuse?: boolean;
  readonly key?: string;
}

const MAX_RETRIES = 200;
const RETRY_MS = 200;
const JSON_TYPE = { 'content-type': 'application/cloudevents+json' };

/** A faulty system of one kanim. The hub must refuse every request that it sends; the checker fails when one of its events is in the log. */
export class Garbage implements Flow {
  readonly name = 'sampah';
  readonly #day: Day;
  readonly #history: History;
  #sent = 0;

  constructor(day: Day, history: History) {
    this.#day = day;
    this.#history = history;
  }

  plan(): number {
    const { offices, clock, random } = this.#day;
    const rng = random.fork('garbage');
    const office = offices.need('KANIM-31-JAKARTA-UTARA');
    clock.plan(clock.at('08:00'), () => void this.#publishValid(office));
    for (const w of this.#invalidRequests(office))
      for (let i = 0; i < w.times; i++)
        clock.plan(clock.at('08:30', rng.int(0, 330)), () => void this.#send(office, w, i));
    return 1;
  }

  /** Publishes the one valid event; its id is used again later with other content. */
  async #publishValid(office: Office): Promise<void> {
    const e = office.publisher.prepare({
      type: 'imigrasi.paspor.diterbitkan',
      id: this.#goodId(),
      orderingKey: 'baik',
      time: this.#day.clock.iso(),
      data: this.#passport(office),
    });
    await office.publisher.publish(e).catch(() => undefined);
  }

  #goodId(): string {
    return `SAMPAH-${this.#day.number}-BAIK`;
  }

  #passport(office: Office): Record<string, unknown> {
    const { clock, number } = this.#day;
    const who = person(this.#day.random.fork('garbage person'));
    return {
      nomorPaspor: 'X0000001',
      nomorPermohonan: numbered('P-SMP', number, 1),
      unitPenerbit: office.owner,
      jenisPaspor: 'biasa',
      tanggalTerbit: clock.date,
      tanggalHabis: clock.day(1826),
      namaLengkap: who.nama,
      tanggalLahir: who.tanggalLahir,
      jenisKelamin: who.jenisKelamin,
      nik: who.nik,
      statusPaspor: 'berlaku',
    };
  }

  #invalidRequests(office: Office): InvalidRequest[] {
    const good = this.#passport(office);
    const source = office.publisher.source;
    const event = (over: Record<string, unknown>, data: unknown = good): string =>
      JSON.stringify({
        specversion: '1.0',
        id: ID,
        source,
        type: 'imigrasi.paspor.diterbitkan',
        time: this.#day.clock.iso(),
        data,
        ...over,
      });
    const { nik: _nik, ...without } = good;
    return [
      { name: 'no date', times: 12, body: event({}, { ...good, tanggalTerbit: 'kemarin' }) },
      { name: 'field missing', times: 3, body: event({}, without) },
      { name: 'unknown symbol', times: 2, body: event({}, { ...good, statusPaspor: 'musnah' }) },
      { name: 'default symbol', times: 1, body: event({}, { ...good, statusPaspor: '_tidak_dikenal' }) },
      {
        name: 'text for number',
        times: 2,
        body: event(
          { type: 'imigrasi.cegah.daftar-diterima' },
          { unit: office.owner, versiDaftar: 'empat', waktuDiterima: this.#day.clock.iso() },
        ),
      },
      { name: 'broken JSON', times: 2, body: event({}).slice(0, -9) },
      { name: 'duplicate member', times: 1, body: event({}).replace('"specversion"', `"id":"${ID}","specversion"`) },
      { name: '__proto__', times: 1, body: event({}).replace('"data":{', '"data":{"__proto__":{"admin":true},') },
      { name: 'unknown type', times: 2, body: event({ type: 'imigrasi.paspor.dikarang' }) },
      { name: 'source of another unit', times: 2, body: event({ source: 'urn:simpul:unit:SU00001:simkim' }) },
      { name: 'fact of another unit', times: 2, body: event({}, { ...good, unitPenerbit: 'SU00001' }) },
      { name: 'type of another unit', times: 2, body: event({ type: 'pas.hunian.dilaporkan' }, {}) },
      { name: 'other subject', times: 2, body: event({ subject: 'P-LAIN' }) },
      { name: 'no id', times: 1, body: event({ id: undefined }) },
      { name: 'old specversion', times: 1, body: event({ specversion: '0.3' }) },
      { name: 'no data', times: 1, body: event({ data: undefined }) },
      { name: 'NUL in text', times: 1, body: event({}, { ...good, namaLengkap: 'A\u0000B' }) },
      { name: 'too large', times: 1, body: event({}, { ...good, namaLengkap: 'A'.repeat(1_200_000) }) },
      { name: 'wrong media type', times: 1, body: event({}), headers: { 'content-type': 'text/plain' } },
      { name: 'empty batch', times: 1, body: '[]', headers: { 'content-type': 'application/cloudevents-batch+json' } },
      { name: 'no valid key', times: 1, body: event({}), key: 'smp_tidak_ada' },
      {
        name: 'id used again',
        times: 2,
        id: this.#goodId(),
        reuse: true,
        body: event({}, { ...good, nomorPaspor: 'X0000002' }),
      },
    ];
  }

  async #send(office: Office, w: InvalidRequest, i: number): Promise<void> {
    const { clock, tally } = this.#day;
    const id = w.id ?? `SAMPAH-${this.#day.number}-${++this.#sent}`;
    const body = typeof w.body === 'string' ? w.body.replaceAll(ID, id) : w.body;
    const head = {
      process: `${office.system}@${office.owner}`,
      source: office.publisher.source,
      id,
      evtype: 'imigrasi.paspor.diterbitkan',
      bad: true,
      ...(w.reuse === true ? { reuse: true } : {}),
    };
    this.#history.write({ type: 'invoke', ...head });
    for (let tries = 0; ; tries++) {
      const reply = await office.connection
        .call('/v1/events', {
          method: 'POST',
          key: w.key ?? office.key,
          headers: { ...JSON_TYPE, ...w.headers },
          body,
          shape: (b) => typeof b['position'] === 'string' || Array.isArray(b['receipts']),
        })
        .catch(() => undefined);
      if (reply === undefined || reply.status >= 500 || reply.status === 429) {
        if (tries < MAX_RETRIES) await pause(RETRY_MS);
        else return this.#history.write({ type: 'info', ...head });
        continue;
      }
      const problem = reply.body as
        { code?: string; errors?: readonly { pointer?: string; reason?: string }[] } | undefined;
      if (reply.status < 300) return this.#history.write({ type: 'ok', ...head, status: reply.status });
      this.#history.write({ type: 'fail', ...head, status: reply.status, code: problem?.code });
      tally.refused++;
      const e = problem?.errors?.[0];
      const where = e?.pointer?.split('/').at(-1);
      const more = w.times > 1 ? ` (${i + 1}×)` : '';
      const what =
        w.name === 'no date'
          ? [`${where} bukan tanggal`, `${where} is not a date`]
          : refusalText(where, problem?.code, reply.status);
      tally.fact(
        'garbage',
        clock.label(),
        `✗ ${office.system}@${office.name}: ${what[0]}${more}`,
        `✗ ${office.system}@${office.name}: ${what[1]}${more}`,
      );
      return;
    }
  }
}

const ID = 'ID-SAMPAH';

/** What was refused, in Indonesian and in English. */
function refusalText(where: string | undefined, code: string | undefined, status: number): [string, string] {
  const row = FAULTS[code as FaultCode] as (typeof FAULTS)[FaultCode] | undefined;
  const withPointer = (text: string): string => (where ? `${where}: ${text.toLowerCase()}` : text.toLowerCase());
  return [withPointer(row?.title.id ?? String(status)), withPointer(row?.title.en ?? String(status))];
}
