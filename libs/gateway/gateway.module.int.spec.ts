import 'reflect-metadata';
import { sampleEvent, type Caller } from '#access';
import { CLOCK, CORE, ENGINE, EVENT_LOG, type Core, type Engine } from '#core';
import { Publishing, type Offered } from '#publishing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule, TestingModuleBuilder } from '@nestjs/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubModule } from '../../test/kit/hub/hub-module.js';
import { GatewayModule } from './index.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const KANIM: Caller = { keyId: 'k', owner: 'SU00123', system: 'simkim', roles: new Set(['publisher']) };
const AT = Date.parse('2021-07-15T02:30:00.000Z');

describe('the gateway module in a test', () => {
  let dir: string;
  let module: TestingModule | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-gateway-'));
  });
  afterEach(async () => {
    await module?.close();
    module = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  /** Publishes one event through the gateway of these providers and answers its result. */
  const publish = async (builder: TestingModuleBuilder) => {
    module = await builder.compile();
    await module.init();
    const { registry, units } = module.get<Core>(CORE);
    const at = { id: 'satu', time: '2021-07-15T00:00:00Z' };
    const e = sampleEvent(registry.catalogue.newest(TYPE)!, 0, KANIM, units.units, at);
    const { data, subject: _s, dataschema: _d, datacontenttype: _c, ...given } = e;
    const offered: Offered = { kind: 'event', given, content: { kind: 'json', data }, form: 'body', bytes: 1_000 };
    const [outcome] = await module.get(Publishing).publish([offered], { caller: KANIM });
    return outcome;
  };

  it('takes another clock: an event is recorded at the time of that clock', async () => {
    const result = await publish(
      hubModule(dir, GatewayModule)
        .overrideProvider(CLOCK)
        .useValue(() => AT),
    );
    expect(result).toMatchObject({ receipt: { recordedtime: '2021-07-15T02:30:00.000Z' } });
  });

  it('takes another log: an append that the log refuses is refused to the publisher', async () => {
    const full = ({ log }: Engine) =>
      new Proxy(log, {
        get(target, name) {
          if (name === 'append')
            return (topic: string, ...rest: [number, never]) =>
              topic.startsWith('_simpul.') ? log.append(topic, ...rest) : { kind: 'refused', code: 'disk_full' };
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    const result = await publish(
      hubModule(dir, GatewayModule)
        .overrideProvider(EVENT_LOG)
        .useFactory({ inject: [ENGINE], factory: full }),
    );
    expect(result).toMatchObject({ fault: { code: 'disk_full' } });
  });
});
