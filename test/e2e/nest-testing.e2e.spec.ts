import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { OnEvent, SimpulModule, SimpulPublisher } from '#nest-kit';
import { SimpulTest, SimpulTestingModule, type SimpulTestingOptions } from '#nest-testing';
import { defineEvent, type EventToken } from '#sdk';
import { startTestHub, type TestHub } from '#testing';
import { Inject, Injectable, Module, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { occupancy } from '../kit/occupancy.js';

type Report = Record<string, unknown>;
const root = join(import.meta.dirname, '../..');
const UNIT = 'SU00518';
const REPORT: EventToken<Report> = defineEvent({
  type: 'pas.hunian.dilaporkan',
  stream: 'pas.hunian',
  version: 1,
  schema: readFileSync(join(root, 'schemas/pas/hunian/dilaporkan.v1.avsc'), 'utf8'),
});
const COUNTED: EventToken<Report> = defineEvent({
  ...REPORT,
  type: 'uji.hunian.dilaporkan',
  stream: 'uji.hunian',
  schema: REPORT.schema.replaceAll('pas.hunian', 'uji.hunian'),
});
let day = 0;
const report = (detainees: number): Report =>
  occupancy(UNIT, `2021-07-${String(++day).padStart(2, '0')}`, detainees, '2021-07-15T03:00:00.000Z');
const given = (detainees: number) => ({ unit: UNIT, token: REPORT, data: report(detainees) });

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ types: [COUNTED] });
});
afterAll(() => hub.stop());
const open: TestingModule[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** The app as it would run in operation: the hub that it names does not exist. */
async function start(providers: Type[], options: Partial<SimpulTestingOptions> = {}): Promise<SimpulTest> {
  @Module({ imports: [SimpulModule.forRoot({ url: 'http://127.0.0.1:1', key: 'tidak-ada', startMs: 1 })], providers })
  class AppModule {}
  const app = await Test.createTestingModule({
    imports: [SimpulTestingModule.forRoot({ hub, unit: UNIT, system: 'sdp', from: 'latest', ...options }), AppModule],
  }).compile();
  app.useLogger(false);
  open.push(await app.init());
  return app.get(SimpulTest);
}

describe('a Nest app under test', () => {
  it('has handled what other units published, and what it published itself for it, when given() resolves', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Reports {
      constructor(@Inject(SimpulPublisher) readonly publisher: SimpulPublisher) {}

      @OnEvent(REPORT)
      async reported(data: Report): Promise<void> {
        await pause(50);
        await this.publisher.publish(COUNTED, data);
      }

      @OnEvent(COUNTED)
      async counted(data: Report): Promise<void> {
        await pause(50);
        seen.push(data['jumlahTahanan']);
      }
    }
    const simpul = await start([Reports]);
    await simpul.given([given(3), given(4)]);
    expect(seen.toSorted()).toEqual([3, 4]);
    const events = await simpul.published(COUNTED);
    expect(events.map((e) => [e.source, e.data['jumlahTahanan']]).toSorted()).toEqual([
      ['urn:simpul:unit:SU00518:sdp', 3],
      ['urn:simpul:unit:SU00518:sdp', 4],
    ]);
  });

  it('from latest sees nothing of the tests before it, from earliest everything', async () => {
    await hub.given([given(5)]);
    const seen: unknown[] = [];
    @Injectable()
    class Reports {
      @OnEvent(REPORT)
      reported(data: Report): void {
        seen.push(data['jumlahTahanan']);
      }
    }
    const late = await start([Reports]);
    await late.settled();
    expect(seen).toEqual([]);
    await late.given([given(6)]);
    expect(seen).toEqual([6]);
    await open.pop()!.close();
    seen.length = 0;
    const early = await start([Reports], { from: 'earliest' });
    await early.settled();
    expect(seen.slice(-2)).toEqual([5, 6]);
  });

  it('that cannot go on ends settled() with its fault, and not the test run', async () => {
    @Injectable()
    class Reports {
      @OnEvent(REPORT, { attempts: 1, then: 'stop' })
      reported(): void {
        throw new Error('the list is locked');
      }
    }
    const simpul = await start([Reports]);
    await expect(simpul.given([given(7)])).rejects.toMatchObject({
      code: 'app_ended',
      message: expect.stringContaining('the list is locked'),
      cause: { code: 'handler_failed' },
    });
  });

  it('has settled when an event is parked; what follows of its subject waits, and others go on', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Reports {
      @OnEvent(REPORT)
      reported(data: Report): void {
        if (data['jumlahTahanan'] === 11) throw Object.assign(new Error('the list is locked'), { code: 'LOCKED' });
        seen.push(data['jumlahTahanan']);
      }
    }
    const simpul = await start([Reports]);
    const wrong = given(11);
    const follower = { ...wrong, data: { ...wrong.data, jumlahTahanan: 12 } };
    await simpul.given([wrong, follower]);
    await simpul.given([given(13)]);
    expect(simpul.parked().map(({ code, event }) => [code, event.data['jumlahTahanan']])).toEqual([['locked', 11]]);
    expect(seen.filter((n) => n !== 13)).toEqual([]);
  });

  it('has settled when an event is parked, and has not while a handler works', async () => {
    const done = Promise.withResolvers<void>();
    @Injectable()
    class Reports {
      @OnEvent(REPORT, { attempts: 1, then: 'park' })
      reported(data: Report): Promise<void> {
        if (data['jumlahTahanan'] === 8) throw new Error('the list is locked');
        return done.promise;
      }
    }
    const simpul = await start([Reports]);
    await simpul.given([given(8)]);
    const working = simpul.given([given(9)], { deadlineMs: 300 });
    await expect(working).rejects.toMatchObject({ code: 'app_not_settled' });
    done.resolve();
    await simpul.settled();
  });

  it('without a hub of the test has one of its own, which ends with the app', async () => {
    const simpul = await start([], { hub: undefined as never, types: [COUNTED] });
    const app = open.pop()!;
    await app.get(SimpulPublisher).publish(COUNTED, report(1));
    expect(await simpul.published(COUNTED)).toHaveLength(1);
    await app.close();
    await expect(fetch(simpul.hub.url)).rejects.toThrow('fetch failed');
  });
});
