import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sqliteInbox, type SqliteDatabase } from '#consuming';
import {
  Event,
  EventContext,
  OnBatch,
  OnEvent,
  SimpulClientProxy,
  SimpulModule,
  SimpulPublisher,
  SimpulReader,
} from '#nest-kit';
import { defineEvent, type EventOf, type EventToken } from '#sdk';
import { Inject, Injectable, Module, UseGuards, type CanActivate, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { firstValueFrom } from 'rxjs';
import { occupancy } from '../../test/kit/occupancy.js';
import { SimpulMemory, SimpulTestingModule } from './index.js';

type Report = Record<string, unknown>;
const REPORT: EventToken<Report> = defineEvent({
  type: 'pas.hunian.dilaporkan',
  stream: 'pas.hunian',
  version: 1,
  schema: readFileSync(join(import.meta.dirname, '../../schemas/pas/hunian/dilaporkan.v1.avsc'), 'utf8'),
});
const OTHER = defineEvent<Report>({
  ...REPORT,
  type: 'uji.hunian.dilaporkan',
  stream: 'uji.hunian',
  schema: REPORT.schema.replaceAll('pas.hunian', 'uji.hunian'),
});
const report = (detainees: number): Report => occupancy('SU00518', '2021-07-15', detainees, '2021-07-15T03:00:00.000Z');

const open: TestingModule[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** The app as it would run in operation: its hub does not exist. */
async function start(providers: Type[], options: object = {}): Promise<SimpulMemory> {
  @Module({
    imports: [SimpulModule.forRoot({ url: 'http://127.0.0.1:1', key: 'tidak-ada', startMs: 1, ...options })],
    providers,
  })
  class AppModule {}
  const app = await Test.createTestingModule({
    imports: [SimpulTestingModule.inMemory({ unit: 'SU00518', system: 'sdp' }), AppModule],
  }).compile();
  open.push(await app.init());
  return app.get(SimpulMemory);
}

describe('an app under test without a hub', () => {
  it('handles an event that is delivered before the call resolves, and what it publishes is recorded with the data of the token', async () => {
    @Injectable()
    class Reports {
      constructor(@Inject(SimpulPublisher) readonly publisher: SimpulPublisher) {}

      @OnEvent(REPORT)
      async reported(data: Report, @Event() event: EventOf<Report>): Promise<void> {
        await this.publisher.publish(OTHER, { ...data, jumlahTahanan: 7 }, { subject: event.subject });
      }
    }
    const simpul = await start([Reports]);
    await simpul.deliver(REPORT, report(3), { subject: 'K-1' });
    const [event, ...more] = simpul.published(OTHER);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      source: 'urn:simpul:unit:SU00518:sdp',
      subject: 'K-1',
      position: 'uji.hunian/0/0',
      data: { ...report(7) },
    });
    expect(simpul.published(REPORT)).toEqual([]);
    simpul.clear();
    expect(simpul.published()).toEqual([]);
  });

  it('records each event once, in every form of publishing, in order', async () => {
    const simpul = await start([]);
    const app = open.at(-1)!;
    const publisher = app.get(SimpulPublisher);
    const first = await publisher.publish(REPORT, report(1), { id: 'satu' });
    expect(await publisher.publish(REPORT, report(1), { id: 'satu' })).toEqual({ ...first, duplicate: true });
    await publisher.publishBatch(REPORT, [{ data: report(2) }, { data: report(3) }]);
    await publisher.publishUntyped({ type: REPORT.type, data: report(4) });
    await firstValueFrom(app.get(SimpulClientProxy).emit(REPORT, report(5)));
    expect(simpul.published(REPORT).map((e) => [e.position, e.data['jumlahTahanan']])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [`pas.hunian/0/${n - 1}`, n]),
    );
  });

  it('rejects a delivery with what the handler threw, at the first attempt, and goes on with the next', async () => {
    const seen: unknown[] = [];
    class Refused extends Error {}
    @Injectable()
    class Reports {
      @OnEvent(REPORT, { attempts: 5, then: 'park' })
      reported(data: Report, context: EventContext): void {
        seen.push([data['jumlahTahanan'], context.attempt]);
        if (data['jumlahTahanan'] === 1) throw new Refused('the list is locked');
      }
    }
    const simpul = await start([Reports]);
    await expect(simpul.deliver(REPORT, report(1))).rejects.toBeInstanceOf(Refused);
    await simpul.deliver(REPORT, report(2));
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('refuses data that does not fit the token, with the pointer, and a type without a handler', async () => {
    @Injectable()
    class Reports {
      @OnEvent(REPORT)
      reported(): void {}
    }
    const simpul = await start([Reports]);
    await expect(simpul.deliver(REPORT, { ...report(1), kapasitas: 'banyak' })).rejects.toMatchObject({
      problem: { errors: [{ pointer: '/data/kapasitas' }] },
    });
    const wrong = open[0]!.get(SimpulPublisher).publish(REPORT, { ...report(1), kapasitas: 'banyak' });
    await expect(wrong).rejects.toMatchObject({ code: 'schema_mismatch' });
    await expect(simpul.deliver(OTHER, report(1))).rejects.toMatchObject({ code: 'no_handler' });
  });

  it('gives a list to @OnBatch as one batch, and to @OnEvent in order; guards count', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class NotTwo implements CanActivate {
      canActivate(context: { switchToRpc(): { getData<T>(): T } }): boolean {
        return context.switchToRpc().getData<Report>()['jumlahTahanan'] !== 2;
      }
    }
    @Injectable()
    class Reports {
      @OnBatch(OTHER)
      all(list: readonly EventOf<Report>[]): void {
        seen.push(list.map((e) => e.data['jumlahTahanan']));
      }

      @OnEvent(REPORT)
      @UseGuards(NotTwo)
      one(data: Report): void {
        seen.push(data['jumlahTahanan']);
      }
    }
    const simpul = await start([Reports]);
    await simpul.deliverAll(OTHER, [report(1), report(2)]);
    await simpul.deliverAll(REPORT, [report(3), report(4)]);
    await expect(simpul.deliver(REPORT, report(2))).rejects.toThrow('Forbidden');
    expect(seen).toEqual([[1, 2], 3, 4]);
  });

  it('has the inbox of the app: an effect of idempotent() happens once for one id', async () => {
    const db = new DatabaseSync(':memory:');
    const seen: unknown[] = [];
    @Injectable()
    class Reports {
      @OnEvent(REPORT)
      async reported(_data: Report, context: EventContext): Promise<void> {
        seen.push(await context.idempotent(() => undefined));
      }
    }
    const simpul = await start([Reports], { inbox: sqliteInbox(db as unknown as SqliteDatabase) });
    const event = { id: 'satu', time: '2021-07-15T03:00:00Z' };
    await simpul.deliver(REPORT, report(1), event);
    await simpul.deliver(REPORT, report(1), event);
    await simpul.deliver(REPORT, report(1));
    expect(seen).toEqual([true, false, true]);
    db.close();
  });

  it('says in one line what a reader has no answer for', async () => {
    await start([]);
    const reader = open[0]!.get(SimpulReader);
    expect(reader.owner).toMatchObject({ unit: 'SU00518', system: 'sdp' });
    await expect(reader.state('pas.hunian-nasional', 'x')).rejects.toThrow(
      /^not_in_memory: [^\n]*\/v1\/state\/pas\.hunian-nasional\/x[^\n]*$/,
    );
  });
});
