import { connect } from 'node:net';

/** What the cases need from the server under test: keys of two offices, valid events, schema ids. */
export interface BadInputSubject {
  readonly url: string;
  /** A kanim (imigrasi.paspor.diterbitkan, keu.pnbp.tagihan-diterbitkan) and a lapas (pas.hunian.dilaporkan). */
  readonly keys: { readonly kanim: string; readonly lapas: string };
  event(type: BadType): Event;
  /** Valid data as Avro with its frame (magic byte 0 and schema id). */
  frame(type: BadType): Buffer;
  schemaId(type: BadType): number;
  /** Request timeout of the server under test, ms. */
  readonly requestMs: number;
}

export type BadType = 'imigrasi.paspor.diterbitkan' | 'keu.pnbp.tagihan-diterbitkan' | 'pas.hunian.dilaporkan';
export type Event = Record<string, unknown> & { data: Record<string, unknown> };

export interface BadAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  readonly allow: string | undefined;
  readonly ms: number;
}

export interface BadCase {
  /** Group of cases in the bad-input catalogue. */
  readonly row: string;
  readonly name: string;
  /** The status, or the statuses of which one is right. */
  readonly status: number | readonly number[];
  /** Code of the problem document; of the error of the first item when `item`. Absent: the request is refused before a problem document can be written. */
  readonly code?: string;
  readonly item?: true;
  /** The problem document names this place, or one in it. */
  readonly pointer?: string;
  /** The refusal takes long on purpose. */
  readonly slow?: true;
  send(s: BadInputSubject): Promise<BadAnswer>;
}

export const P = 'imigrasi.paspor.diterbitkan';
export const H = 'pas.hunian.dilaporkan';
export const T = 'keu.pnbp.tagihan-diterbitkan';
export const CE = 'application/cloudevents+json';
export const BATCH = 'application/cloudevents-batch+json';
export const NDJSON = 'application/x-ndjson';
export const MIB = 1_048_576;

/** What a request differs in from a plain one. */
export interface Init {
  readonly method?: string;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly key?: string | undefined;
}

/** One request through fetch, with the key of the kanim unless `key` is given. */
export async function call(
  s: BadInputSubject,
  path: string,
  body?: string | Buffer,
  init: Init = {},
): Promise<BadAnswer> {
  const began = performance.now();
  const key = 'key' in init ? init.key : s.keys.kanim;
  const r = await fetch(`${s.url}${path}`, {
    method: init.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(init.type === undefined ? {} : { 'content-type': init.type }),
      ...init.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  return {
    status: r.status,
    contentType: r.headers.get('content-type') ?? '',
    text: await r.text(),
    allow: r.headers.get('allow') ?? undefined,
    ms: performance.now() - began,
  };
}

/** Sends raw bytes. `hold`: keeps the connection open until the server answers. `flood`: sends these bytes again and again until then. */
export function raw(
  s: BadInputSubject,
  head: string | Buffer,
  options: { hold?: true; flood?: Buffer } = {},
): Promise<BadAnswer> {
  const began = performance.now();
  return new Promise((resolve) => {
    const { hostname, port } = new URL(s.url);
    const socket = connect(Number(port), hostname, () => {
      socket.write(head);
      const more = options.flood;
      if (more !== undefined) {
        const pump = (): void => {
          while (socket.writable && socket.write(more));
        };
        socket.on('drain', pump);
        pump();
      } else if (options.hold !== true) socket.end();
    });
    let out = '';
    socket.setEncoding('latin1').on('data', (d: string) => {
      out += d;
      if (options.flood !== undefined) socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const [top = '', ...rest] = out.split('\r\n\r\n');
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(top)?.[1] ?? 0),
        contentType: /^content-type: (.*)$/im.exec(top)?.[1] ?? '',
        // Only the first answer: bytes after a whole request get an answer of their own.
        text: rest.join('\r\n\r\n').slice(0, Number(/^content-length: (\d+)$/im.exec(top)?.[1] ?? 1e6)),
        allow: /^allow: (.*)$/im.exec(top)?.[1],
        ms: performance.now() - began,
      });
    });
  });
}

/** A raw request with a key and a content type; `more` is the rest of its header and its body. */
export const rawRequest = (s: BadInputSubject, more: string, line = 'POST /v1/events HTTP/1.1'): string =>
  `${line}\r\nhost: simpul\r\nauthorization: Bearer ${s.keys.kanim}\r\ncontent-type: ${CE}\r\n${more}`;

/** The text of a valid event with one member replaced by raw text. */
export const splice = (s: BadInputSubject, type: BadType, name: string, text: string): string => {
  const e = s.event(type);
  (name in e.data ? e.data : e)[name] = '\u0001here\u0001';
  return JSON.stringify(e).replace('"\\u0001here\\u0001"', text);
};

/** A list of cases, and functions that add a case to it. */
export function caseList() {
  const cases: BadCase[] = [];
  let row = '';
  /** Begins a group of cases. */
  const group = (name: string): void => {
    row = name;
  };
  /** A case with any request. */
  const add = (
    name: string,
    status: BadCase['status'],
    code: string | undefined,
    send: BadCase['send'],
    more: Partial<BadCase> = {},
  ): void => {
    cases.push({ row, name, status, ...(code === undefined ? {} : { code }), send, ...more });
  };
  /** A case with this body. */
  const body = (
    name: string,
    status: number,
    code: string,
    text: string | Buffer | ((s: BadInputSubject) => string | Buffer),
    init: Init & { path?: string } = {},
  ): void => {
    add(name, status, code, (s) =>
      call(s, init.path ?? '/v1/events', typeof text === 'function' ? text(s) : text, { type: CE, ...init }),
    );
  };
  /** A case with a valid event that `change` makes invalid. */
  const event = (name: string, status: number, code: string, change: (e: Event) => void, type: BadType = P): void => {
    add(name, status, code, (s) => {
      const e = s.event(type);
      change(e);
      return call(s, '/v1/events', JSON.stringify(e), { type: CE, key: type === H ? s.keys.lapas : s.keys.kanim });
    });
  };
  /** A case with a valid event in which one member is replaced by raw text. */
  const spliced = (name: string, status: number, code: string, type: BadType, member: string, text: string): void => {
    add(name, status, code, (s) =>
      call(s, '/v1/events', splice(s, type, member, text), { type: CE, key: type === H ? s.keys.lapas : s.keys.kanim }),
    );
  };
  /** A case with a GET. */
  const get = (
    name: string,
    status: BadCase['status'],
    code: string | undefined,
    path: string,
    init: Init = {},
  ): void => {
    add(name, status, code, (s) => call(s, path, undefined, init));
  };
  return { cases: cases as readonly BadCase[], group, add, body, event, spliced, get };
}
