import { describe, expect, it } from '@jest/globals';
import { AnswerReader, type AnswerHead, type AnswerSink } from './answer-reader.js';

interface Read {
  readonly head: AnswerHead | undefined;
  readonly hints: number;
  readonly body: string;
  readonly ended: boolean;
  readonly keep: boolean;
}

/** Reads an answer that comes in pieces of so many bytes. */
function read(text: string, piece = Infinity, reader = new AnswerReader()): Read {
  let head: AnswerHead | undefined;
  let hints = 0;
  let body = '';
  const sink: AnswerSink = {
    isOver: false,
    hint: () => hints++,
    head: (one) => (head = one),
    data: (bytes) => (body += bytes.toString('latin1')),
  };
  const bytes = Buffer.from(text, 'latin1');
  let ended = false;
  for (let at = 0; at < bytes.length && !ended; at += piece)
    ended = reader.read(bytes.subarray(at, Math.min(bytes.length, at + piece)), sink);
  return { head, hints, body, ended: ended || reader.end(), keep: ended && reader.keep };
}
const OK = 'HTTP/1.1 200 OK\r\n';

describe('an answer is the same in whatever pieces it comes', () => {
  it.each<[string, string, Partial<Read>]>([
    ['without a body', 'HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n', { body: '', ended: true, keep: true }],
    ['without a reason', 'HTTP/1.1 204\r\n\r\n', { ended: true, keep: true }],
    ['with a length', `${OK}Content-Length:  5 \r\n\r\nhello`, { body: 'hello', ended: true, keep: true }],
    ['with the length 0', `${OK}content-length: 0\r\n\r\n`, { body: '', ended: true, keep: true }],
    [
      'in chunks',
      `${OK}transfer-encoding: gzip, Chunked\r\n\r\n5;x=y\r\nhello\r\n00a \r\n0123456789\r\n0\r\nt: u\r\nv: w\r\n\r\n`,
      { body: 'hello0123456789', ended: true, keep: true },
    ],
    ['up to the end of the connection', `${OK}\r\nhello`, { body: 'hello', ended: true, keep: false }],
    [
      'after hints',
      `${'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(3)}${OK}content-length: 1\r\n\r\nx`,
      { hints: 3, body: 'x', keep: true },
    ],
    ['that closes', `${OK}connection: Close\r\ncontent-length: 1\r\n\r\nx`, { body: 'x', ended: true, keep: false }],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx', { body: 'x', keep: false }],
    [
      'of HTTP/1.0 that keeps',
      'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx',
      { keep: true },
    ],
    ['of 204 with a length', 'HTTP/1.1 204 x\r\ncontent-length: 2\r\n\r\n', { body: '', ended: true, keep: false }],
    ['of 304 without a body', 'HTTP/1.1 304 x\r\n\r\n', { body: '', ended: true, keep: true }],
    ['that idles too shortly', `${OK}keep-alive: timeout=2\r\ncontent-length: 0\r\n\r\n`, { ended: true, keep: false }],
    ['that breaks off', `${OK}content-length: 9\r\n\r\nx`, { body: 'x', ended: false }],
  ])('%s', (_what, text, expected) => {
    for (const piece of [Infinity, 1, 2, 3, 7, 16]) expect(read(text, piece)).toMatchObject(expected);
  });

  it('and several on one connection are read one after the other', () => {
    const reader = new AnswerReader();
    for (const body of ['a', 'bc', '', 'd'])
      for (const piece of [Infinity, 3])
        expect(read(`${OK}content-length: ${body.length}\r\n\r\n${body}`, piece, reader)).toMatchObject({
          body,
          keep: true,
        });
  });

  it('its headers are by name in lower case, several of a name joined; none of them changes the object', () => {
    const { head } = read(`${OK}A: 1\r\na:2\r\n__proto__: x\r\nconstructor: y\r\ncontent-length: 0\r\n\r\n`);
    expect({ ...head!.headers }).toMatchObject({ a: '1, 2', constructor: 'y' });
    expect([Object.getPrototypeOf(head!.headers), head!.headers['__proto__']]).toEqual([null, 'x']);
  });

  it('bytes behind it mean that the connection is not used again', () => {
    expect(read(`HTTP/1.1 204 x\r\n\r\nHTTP/1.1 410 x\r\n\r\n`)).toMatchObject({ ended: true, keep: false });
  });
});

describe('what is ambiguous is no answer', () => {
  it.each(
    (<[string, string][]>[
      ['INVALID_ANSWER', 'HTTP/2 200 OK\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.2 200 OK\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.1 099 OK\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.1 2000\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.1  200 OK\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.1 100 Continue\r\n\r\n'],
      ['INVALID_ANSWER', 'HTTP/1.1 101 x\r\n\r\n'],
      ['INVALID_ANSWER', 'SSH-2.0'],
      ['INVALID_ANSWER', `${OK}a: b\r\n c\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}a : b\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}: b\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}a\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}a: b\0c\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}a: b\nc: d\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}a: b\rc: d\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}content-length: 1\r\ncontent-length: 1\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: 1, 1\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: +1\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: 0x1\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: -1\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: 9999999999999999\r\n\r\nx`],
      ['INVALID_ANSWER', `${OK}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
      ['INVALID_ANSWER', `${OK}transfer-encoding: chunked\r\n\r\nx\r\n`],
      ['INVALID_ANSWER', `${OK}transfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n`],
      ['INVALID_ANSWER', `${OK}transfer-encoding: chunked\r\n\r\n123456789\r\n`],
      ['ANSWER_TOO_LARGE', `${OK}a: ${'b'.repeat(17_000)}`],
      ['ANSWER_TOO_LARGE', `${OK}a: ${'b'.repeat(17_000)}\r\n\r\n`],
      ['ANSWER_TOO_LARGE', `${OK}transfer-encoding: chunked\r\n\r\n1;${'x'.repeat(2_000)}`],
      ['ANSWER_TOO_LARGE', `${OK}transfer-encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(4_000)}`],
    ]).map(([code, text]) => [code, text.slice(0, 80), text] as const),
  )('%s: %j', (code, _begin, text) => {
    for (const piece of [Infinity, 1, 1_000])
      expect(() => read(text, piece)).toThrow(expect.objectContaining({ code }) as unknown as Error);
  });
});
