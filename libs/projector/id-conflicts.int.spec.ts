import { sampleEvent, sourceOf, type Caller } from '#access';
import { hubPublishing, type Core } from '#core';
import { fromHeaders } from '#event';
import type { Fault } from '#faults';
import type { Type } from '@nestjs/common';
import { Appender } from '#log';
import type { Offered, Publishing } from '#publishing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { blindPublishing } from '../../test/kit/doors/blind-publishing.js';
import { openHub, type RunningHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import { ID_CONFLICT, idConflictPublisher } from './id-conflicts.js';
import { ProjectorModule } from './index.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'simpul.pengawasan';
const KANIM: Caller = { keyId: 'k', owner: 'SU00123', system: 'simkim', roles: new Set(['publisher']) };

describe('an id that was used for two contents', () => {
  let dir: string;
  let hub: RunningHub | undefined;
  let core: Core;

  /** Another process on the same folder. */
  const restart = async (...roles: Type[]): Promise<void> => {
    await hub?.close();
    hub = await openHub(dir, ...roles);
    ({ core } = hub);
  };
  const fold = (): Promise<void> => restart(ProjectorModule);
  const blind = (): Publishing =>
    blindPublishing({
      log: core.log,
      settled: core.settled,
      catalogue: core.registry.catalogue,
      units: core.units.units,
      refusals: { count: () => undefined },
      pseudonymKey: core.pseudonymKey,
    });
  const publish = async (nomorPaspor: string): Promise<string> => {
    const time = '2021-07-15T00:00:00Z';
    const e = sampleEvent(core.registry.catalogue.newest(TYPE)!, 0, KANIM, core.units.units, { id: 'dua', time });
    const { data, subject: _s, dataschema: _d, datacontenttype: _c, ...given } = e;
    const content = { kind: 'json', data: { ...data, nomorPaspor } } as const;
    const offered: Offered = { kind: 'event', given, content, form: 'body', bytes: 1_000 };
    const [outcome] = await blind().publish([offered], { caller: KANIM });
    return (outcome as { receipt: { position: string } }).receipt.position;
  };
  /** The events about id conflicts as readers see them: below the settled end, without copies. */
  const published = async () => {
    const out = [];
    for (const { partition, low, high } of await core.log.describe(STREAM)) {
      if (low === high) continue;
      await until(() => core.settled.end(STREAM, partition) >= high);
      const read = await core.log.read(STREAM, partition, low);
      for (const r of read.kind === 'records' ? read.records : []) {
        if (core.settled.originalOf(STREAM, partition, r.offset) !== undefined) continue;
        const type = core.registry.catalogue.newest(ID_CONFLICT)!;
        out.push({ ...fromHeaders(r.headers)!, data: type.contract.decode(r.value!, { framed: true }) });
      }
    }
    return out;
  };
  const folded = (): Promise<void> =>
    until(async () => {
      for (const { name } of core.registry.catalogue.streams())
        for (const { partition, high } of await core.log.describe(name))
          if (core.settled.end(name, partition) < high) return false;
      return true;
    });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-conflicts-'));
    await restart();
  });
  afterEach(async () => {
    await hub?.close();
    hub = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  it('is published by the hub with both positions and with unit and recorded time of the later record, and is counted', async () => {
    const first = await publish('X0000001');
    const second = await publish('X0000002');
    await fold();
    await until(async () => (await published()).length > 0);
    const [event] = await published();
    expect(event).toMatchObject({
      id: second,
      source: 'urn:simpul:hub:watch',
      type: ID_CONFLICT,
      subject: sourceOf(KANIM),
      data: {
        sumber: sourceOf(KANIM),
        idKejadian: 'dua',
        jenis: TYPE,
        unit: 'SU00123',
        posisiPertama: first,
        posisiKedua: second,
        waktu: event!.time,
      },
    });
    await until(async () => (await core.metrics.text()).includes('simpul_alarms_total{code="id_conflict"'));
  });

  it('is published once, also when all streams are folded again', async () => {
    await publish('X0000001');
    await publish('X0000002');
    await fold();
    await until(async () => (await published()).length > 0);
    await folded();
    await hub!.close();
    hub = undefined;
    const db = new DatabaseSync(join(dir, 'state.sqlite'));
    for (const t of ['parts', 'progress', 'entries', 'feed', 'deletes', 'firsts']) db.exec(`DELETE FROM ${t}`);
    db.close();
    await fold();
    await until(async () => /simpul_alarms_total\{code="id_conflict"[^}]*\} 1/.test(await core.metrics.text()));
    await folded();
    expect(await published()).toHaveLength(1);
  });

  it('rejects until its event is durable, so that the projector retries and the index does not move', async () => {
    const appender = new Appender(core.log);
    let calls = 0;
    const publishing = hubPublishing(core, {
      appends: {
        append: (...args) =>
          calls++ > 0 ? appender.append(...args) : Promise.resolve({ kind: 'refused', code: 'not_durable' }),
      },
    });
    const refused: string[] = [];
    const report = { refused: ({ code }: Fault) => void refused.push(code) };
    const publishConflicts = idConflictPublisher({ publishing, catalogue: core.registry.catalogue, report });
    const envelope = { source: sourceOf(KANIM), id: 'dua', type: TYPE, recordedtime: '2021-07-15T00:00:00.000Z' };
    const found = [{ event: { envelope } as never, position: 'a/0/1', firstPosition: 'a/0/0' }];
    await expect(publishConflicts(found)).rejects.toMatchObject({ code: 'not_durable' });
    await publishConflicts(found);
    await publishConflicts(found);
    expect(refused).toEqual([]);
    let records = 0n;
    for (const { low, high } of await core.log.describe(STREAM)) records += high - low;
    expect(records).toBe(1n);
  });

  it('is not published for a restricted type, whose named consumers alone may know of it; others in the same call are', async () => {
    const published: Offered[] = [];
    const publishing: Pick<Publishing, 'publish'> = {
      publish: (offered) => {
        published.push(...offered);
        return Promise.resolve(offered.map(() => ({ receipt: {} }) as never));
      },
    };
    const { catalogue } = core.registry;
    const restricted = catalogue.types().find((type) => type.restricted)!.type;
    const of = (type: string, position: string) => ({
      event: {
        envelope: { source: sourceOf(KANIM), id: 'dua', type, recordedtime: '2021-07-15T00:00:00.000Z' },
      } as never,
      position,
      firstPosition: 'a/0/0',
    });
    const report = { refused: () => undefined };
    const publishConflicts = idConflictPublisher({ publishing, catalogue, report });
    await publishConflicts([of(restricted, 'a/0/1')]);
    expect(published).toEqual([]);
    await publishConflicts([of(restricted, 'a/0/2'), of(TYPE, 'a/0/3')]);
    expect(JSON.stringify(published)).toContain('a/0/3');
    expect(JSON.stringify(published)).not.toContain(restricted);
  });
});
