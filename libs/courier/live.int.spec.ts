import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import { DeliveryStage, PASSPORTS, type EngineName } from '../../test/kit/deliveries/stage.js';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];

/** A reader of server-sent events that a test holds in its hand. */
class Reader {
  readonly ids: string[] = [];
  readonly kinds: string[] = [];
  lastId = '';
  isOver = false;
  readonly #end = new AbortController();

  async open(hub: DeliveryStage, id: string, last?: string): Promise<this> {
    const answer = await fetch(`${hub.url}/v1/subscriptions/${id}/live`, {
      headers: { authorization: `Bearer ${await hub.key()}`, ...(last === undefined ? {} : { 'last-event-id': last }) },
      signal: this.#end.signal,
    });
    if (answer.status !== 200) throw new Error(`live: ${answer.status}`);
    void this.#read(answer.body!);
    return this;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        if (id !== undefined) this.lastId = id;
        if (event !== undefined) this.kinds.push(event);
        else if (data !== '') this.ids.push((JSON.parse(data) as { id: string }).id);
      },
    });
    const text = new TextDecoder();
    try {
      for await (const chunk of body) {
        const got = text.decode(chunk, { stream: true });
        // A message with an id alone is no event for the parser.
        for (const [, id] of got.matchAll(/^id: (.*)$/gm)) this.lastId = id!;
        parser.feed(got);
      }
    } catch {
      // Ended by the test.
    }
    this.isOver = true;
  }

  close(): void {
    this.#end.abort();
  }
}

describe.each(ENGINES)('a subscription with the target sse (%s)', (engine) => {
  let hub: DeliveryStage;
  let stack = new AsyncDisposableStack();
  /** How many events had been published before this case. */
  let before = 0;
  beforeAll(async () => {
    hub = await DeliveryStage.open(engine);
    // The first hub on a cluster makes all of its topics.
  }, 120_000);
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
    await hub.clear();
    before = hub.published.length;
  });
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  const made = async (): Promise<string> => {
    const spec = { name: `siar-${before}`, types: [PASSPORTS], target: { kind: 'sse' } };
    const { body } = await hub.ask('POST', '/v1/subscriptions', spec);
    return body['id'] as string;
  };
  const reader = async (id: string, last?: string): Promise<Reader> => {
    const opened = new Reader();
    stack.defer(() => opened.close());
    return opened.open(hub, id, last);
  };
  const published = (from = 0): string[] => hub.published.slice(before + from).map((e) => e.id);

  it('sends what is due in order; what was taken does not come again, also after the hub stopped', async () => {
    const id = await made();
    await hub.publish([1, 1, 1]);
    const first = await reader(id);
    await until(() => first.ids.length === 3);
    await hub.publish([1]);
    await until(() => first.ids.length === 4);
    expect(first.ids).toEqual(published());
    await until(async () => (await hub.standing(id))['inFlight'] === 0);
    first.close();
    await hub.stop();
    await hub.start();
    await hub.publish([1]);
    const second = await reader(id);
    await until(() => second.ids.length > 0);
    expect(second.ids).toEqual(published(4));
  });

  it('goes back to what Last-Event-ID says, and refuses one that it never gave', async () => {
    const id = await made();
    const first = await reader(id);
    await hub.publish([1]);
    await until(async () => first.ids.length === 1 && (await hub.standing(id))['inFlight'] === 0);
    const place = first.lastId;
    await until(() => first.lastId !== '');
    await hub.publish([1, 2, 1]);
    await until(async () => first.ids.length === 4 && (await hub.standing(id))['inFlight'] === 0);
    const again = await reader(id, place);
    await until(() => again.ids.length >= 3);
    expect(again.ids.filter((one) => one !== published()[0]).toSorted()).toEqual(published(1).toSorted());
    const headers = { 'last-event-id': 'bukan' };
    const refused = await hub.ask('GET', `/v1/subscriptions/${id}/live`, undefined, undefined, headers);
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });

  it('has one connection: a newer one takes over, and the older one is told; it is no pull subscription', async () => {
    const id = await made();
    const old = await reader(id);
    const young = await reader(id);
    await until(() => old.isOver);
    expect(old.kinds).toEqual(['taken_over']);
    await hub.publish([1]);
    await until(() => young.ids.length === 1);
    expect(old.ids).toEqual([]);
    expect(await hub.ask('POST', `/v1/subscriptions/${id}/pull`)).toMatchObject({ status: 409 });
  });
});
