import { connect } from 'node:net';

export interface LoadResult {
  readonly answered: number;
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latencies: Float64Array;
}

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** The bytes of HTTP request number n. */
  readonly request: (n: number) => Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** One keep-alive connection that sends the next request when the last answer is complete. */
function runConnection(
  load: Load,
  next: () => number,
  until: number,
  sample: (ms: number, ok: boolean) => void,
): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect({ host: load.host, port: load.port, noDelay: true });
    let waiting: Buffer = Buffer.alloc(0);
    let began = 0;
    const send = (): void => {
      began = performance.now();
      socket.write(load.request(next()));
    };
    socket.on('connect', send);
    socket.on('data', (chunk: Buffer) => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      const end = waiting.indexOf(HEAD_END);
      if (end < 0) return;
      const head = waiting.toString('latin1', 0, end);
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (waiting.length < end + 4 + length) return;
      const ok = head.startsWith('HTTP/1.1 2');
      sample(performance.now() - began, ok);
      waiting = waiting.subarray(end + 4 + length);
      if (performance.now() < until) send();
      else socket.end();
    });
    socket.on('error', fail);
    socket.on('close', () => done());
  });
}

/** Closed loop over raw sockets. It needs little CPU, because it shares the cores with the process under test. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  let refused = 0;
  let n = 0;
  const began = performance.now();
  const until = began + load.seconds * 1000;
  await Promise.all(
    Array.from({ length: load.connections }, () =>
      runConnection(
        load,
        () => n++,
        until,
        (ms, ok) => {
          latencies.push(ms);
          if (!ok) refused++;
        },
      ),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  return { answered: latencies.length - refused, refused, seconds, latencies: Float64Array.from(latencies).sort() };
}

/** The bytes of a POST request. */
export function post(path: string, host: string, key: string, type: string, body: string): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\ncontent-type: ${type}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
    ),
    bytes,
  ]);
}
