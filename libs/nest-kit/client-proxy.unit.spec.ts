import 'reflect-metadata';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { defineEvent, type Connection, type NewEvent } from '#sdk';
import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';
import { openHub } from './hub.js';
import { SimpulClientProxy } from './client-proxy.js';
import { SimpulPublisher } from './publisher.js';
import { Tokens } from './tokens.js';

const SCHEMA = {
  ...{ type: 'record', name: 'Buku', fields: [{ name: 'judul', type: 'string' }] },
};
const Token = defineEvent<{ judul: string }>({
  ...{ type: 'uji.buku.diterima', stream: 'uji.buku', version: 1, schema: JSON.stringify(SCHEMA) },
});
const WRONG = { judul: 7 } as unknown as { judul: string };

/** A client beside a hub that gives every event a receipt. */
async function clientOf(): Promise<SimpulClientProxy> {
  const owner = { unit: 'SU00123', system: 'perpus', roles: ['publisher'] };
  const call: Connection['call'] = (path, { body }) => {
    const event = typeof body === 'string' ? (JSON.parse(body) as NewEvent) : {};
    const receipt = { ...event, position: 'uji.buku/0/0', duplicate: false };
    return Promise.resolve({
      ...{ status: 200, size: 0, etag: undefined, retryAfterMs: undefined },
      body: path === '/v1/me' ? owner : receipt,
    });
  };
  const connection = {
    ...{ url: 'http://127.0.0.1', random: Math.random, retry: {}, call, callWithRetry: call },
    close: () => Promise.resolve(),
  } as unknown as Connection;
  const options = { url: connection.url, key: 'k', language: 'en' as const };
  return new SimpulClientProxy(new SimpulPublisher(await openHub(options, connection), options), new Tokens());
}

/** After everything that is due now. */
const turn = () => new Promise<void>((done) => void setImmediate(done));
const told = () => jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
afterEach(() => void jest.restoreAllMocks());

describe('SimpulClientProxy.emit', () => {
  it('that is refused while nobody is subscribed is one line with the pointer and what to do, however often within a minute', async () => {
    const lines = told();
    const client = await clientOf();
    client.emit(Token, WRONG);
    client.emit(Token, WRONG);
    await turn();
    expect(lines.mock.calls.map(([line]) => String(line))).toEqual([
      expect.stringMatching(
        /^an event uji\.buku\.diterima of emit\(\) has no receipt: 422 schema_mismatch \/data\/judul: .*\. Compare with the sample: .* Nobody is subscribed: await firstValueFrom\(client\.emit\(…\)\), or use SimpulPublisher\.publish\(\)$/,
      ),
    ]);
  });

  it('that is refused rejects where somebody is subscribed, and is no line', async () => {
    const lines = told();
    const client = await clientOf();
    await expect(firstValueFrom(client.emit(Token, WRONG))).rejects.toMatchObject({ code: 'schema_mismatch' });
    await expect(firstValueFrom(client.emit(Token, undefined))).rejects.toThrow();
    await turn();
    expect(lines.mock.calls).toEqual([]);
  });

  it.each<[string, unknown, unknown, RegExp]>([
    ['without data', Token, undefined, /^an event uji\.buku\.diterima of emit\(\) has no receipt: /],
    [
      'with a pattern that is no token',
      { cmd: 'buku' },
      {},
      /emit\(\) needs a token, not another object.*simpul type gen/,
    ],
  ])('%s is a line too', async (_name, pattern, data, line) => {
    const lines = told();
    const client = await clientOf();
    client.emit(pattern, data);
    await turn();
    expect(lines.mock.calls).toEqual([[expect.stringMatching(line)]]);
  });

  it('that is taken is no line, and tells those who subscribe the receipt', async () => {
    const lines = told();
    const client = await clientOf();
    client.emit(Token, { judul: 'Undang-undang' });
    expect(await firstValueFrom(client.emit(Token, { judul: 'Undang-undang' }))).toMatchObject({
      position: 'uji.buku/0/0',
    });
    await turn();
    expect(lines.mock.calls).toEqual([]);
  });
});
