import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HubStage } from '../../../test/kit/doors/hub-stage.js';
import { until } from '../../../test/kit/projection/stage.js';

const TYPE = 'layanan.kasus.status-berubah';
const STREAM = 'layanan.kasus';
const LARGE = 'x'.repeat(200_000);
let hub: HubStage;
afterEach(() => hub.close());

/** A live reader on a raw socket, which can stop receiving. */
class RawReader {
  ids: string[] = [];
  closed = false;
  readonly #socket: Socket;
  #text = '';

  constructor() {
    const { port } = new URL(hub.server.url);
    this.#socket = connect(Number(port), '127.0.0.1');
    this.#socket.on('close', () => (this.closed = true));
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes.toString('latin1')));
    this.#socket.write(
      `GET /v1/streams/${STREAM}/live?from=latest HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer kanim\r\n\r\n`,
    );
  }

  get open(): boolean {
    return this.#text.includes('retry: ');
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#text += text;
    for (const [, id] of this.#text.matchAll(/"id":"(E-\d+)"/g)) this.ids.push(id!);
    // A mark may be cut in two by the next chunk.
    this.#text = /"i?d?"?:?"?E?-?\d*$/.test(this.#text) ? this.#text.slice(-30) : 'retry: ';
  }
}

async function publish(n: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < n; i++) {
    const event = hub.event(
      TYPE,
      'kanim',
      {},
      { nomorKasus: `L-${i % 5}`, alasanKode: LARGE, unitPemegang: 'SU00123' },
    );
    const answer = await hub.post(event);
    if (answer.status !== 201) throw new Error(answer.text);
    ids.push(event.id);
  }
  return ids;
}

describe('a live reader that does not take what is sent', () => {
  it('gets each event exactly once when it goes on in time, although the tail has passed it, and costs other readers nothing', async () => {
    hub = await new HubStage().open();
    const [slow, quick] = [new RawReader(), new RawReader()];
    await until(() => slow.open && quick.open && hub.reading.tailUse.readers === 2);
    slow.pause();
    const ids = await publish(60);
    await until(() => quick.ids.length === ids.length);
    expect(slow.ids.length).toBeLessThan(ids.length);
    slow.resume();
    await until(() => slow.ids.length === ids.length);
    expect([slow.ids.toSorted(), quick.ids.toSorted()]).toEqual([ids.toSorted(), ids.toSorted()]);
    slow.close();
    quick.close();
    await until(() => hub.reading.tailUse.readers === 0);
  });

  it('is disconnected after the time limit', async () => {
    hub = await new HubStage().open({ http: { stallMs: 300 } });
    const reader = new RawReader();
    await until(() => reader.open && hub.reading.tailUse.readers === 1);
    reader.pause();
    await publish(60);
    await until(() => hub.reading.tailUse.readers === 0);
    reader.resume();
    await until(() => reader.closed);
    expect(reader.ids.length).toBeLessThan(60);
  });
});
