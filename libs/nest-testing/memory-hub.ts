import { streamOf } from '#event';
import type { Connection, KeyOwner, Receipt, Reply } from '#sdk';
import { SimpulTestFault } from './fault.js';

type Call = Parameters<Connection['call']>[1];

/** What an event is known by. */
interface Sent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
}

/** Answers a publisher with receipts, and says whose the key is. Nothing leaves the process; every other call rejects with `not_in_memory`. */
export function memoryHub(owner: KeyOwner): Connection {
  const receipts = new Map<string, Receipt>();
  const ends = new Map<string, number>();
  const record = ({ id, source, type }: Sent): Receipt => {
    const name = JSON.stringify([source, id]);
    const known = receipts.get(name);
    if (known !== undefined) return { ...known, duplicate: true };
    const stream = streamOf(type);
    const offset = ends.get(stream) ?? 0;
    ends.set(stream, offset + 1);
    const receipt = {
      ...{ id, source, type, stream, partition: 0, offset, position: `${stream}/0/${offset}` },
      ...{ recordedtime: new Date().toISOString(), duplicate: false },
    };
    receipts.set(name, receipt);
    return receipt;
  };
  const answer = (path: string, { method = 'GET', headers, body }: Call): unknown => {
    if (path === '/v1/me') return owner;
    if (method !== 'POST' || !/^\/v1\/events(\?|$)/.test(path)) throw new SimpulTestFault('not_in_memory', path);
    if (typeof body !== 'string') return record(inHeaders(headers ?? {}));
    if (!path.includes('?')) return record(JSON.parse(body) as Sent);
    return { receipts: body.split('\n').map((line) => record(JSON.parse(line) as Sent)) };
  };
  const call = async (path: string, c: Call): Promise<Reply> => {
    c.signal?.throwIfAborted();
    return { status: 200, body: answer(path, c), size: 0, etag: undefined, retryAfterMs: undefined };
  };
  return {
    url: 'http://127.0.0.1',
    random: Math.random,
    retry: {},
    call,
    callWithRetry: call,
    open: (path) => Promise.reject(new SimpulTestFault('not_in_memory', path)),
    close: () => Promise.resolve(),
  };
}

function inHeaders(headers: Readonly<Record<string, string>>): Sent {
  const [id, source, type] = ['id', 'source', 'type'].map((name) => decodeURIComponent(headers[`ce-${name}`] ?? ''));
  return { id: id!, source: source!, type: type! };
}
