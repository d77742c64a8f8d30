import { describe, expect, it } from '@jest/globals';
import { defineTexts, Fault, FAULTS } from '#faults';
import { z } from 'zod';
import { decodeCursor, encodeCursor, formatEvent, languageOf, openapiOf, problemOf } from './index.js';
import { faultOf } from './faults-of-fastify.js';
import { nextUrl } from './page.js';
import { RouteTable } from './routes.js';

describe('problem documents', () => {
  it('are in the language with the greater weight of Accept-Language, in Indonesian without one', () => {
    for (const [header, language] of [
      [undefined, 'id'],
      ['', 'id'],
      ['en', 'en'],
      ['en-US,en;q=0.9', 'en'],
      ['id-ID,id;q=0.9,en;q=0.8', 'id'],
      ['en;q=0.2, id;q=0.1', 'en'],
      ['fr, en;q=0', 'id'],
      ['fr', 'id'],
      [`${'x'.repeat(5_000)},en`, 'id'],
    ] as const)
      expect([header?.slice(0, 20), languageOf(header)]).toEqual([header?.slice(0, 20), language]);
  });

  it('have a title and a hint in both languages for every code, and never the text of an inner error', () => {
    for (const code of Object.keys(FAULTS) as (keyof typeof FAULTS)[]) {
      const fault = new Fault(code, { detail: 'inside', cause: new Error('secret') });
      for (const language of ['id', 'en'] as const) {
        const doc = problemOf(fault, language, 'urn:simpul:request:1');
        expect(doc.title.length * doc.hint.length).toBeGreaterThan(0);
        expect(JSON.stringify(doc)).not.toContain('secret');
        expect(doc.detail).toBe(doc.status === 500 ? undefined : 'inside');
        expect(doc.type).toBe(`/docs/errors#${code}`);
      }
    }
  });

  it('say what is wrong and what was expected in the same language as the title; pointers and names stay', () => {
    const texts = defineTexts({
      not_a_symbol: { id: 'bukan salah satu pilihan', en: 'not one of the symbols' },
      one_of: { id: 'salah satu dari {names}', en: 'one of {names}' },
    });
    const problem = {
      pointer: '/data/jenis',
      reason: texts.not_a_symbol(),
      expected: texts.one_of({ names: 'cegah, tangkal' }),
    };
    const fault = new Fault('schema_mismatch', { problems: [problem] });
    expect(problemOf(fault, 'en', 'urn:simpul:request:1').errors).toEqual([
      { pointer: '/data/jenis', reason: 'not one of the symbols', expected: 'one of cegah, tangkal' },
    ]);
    expect(problemOf(fault, 'id', 'urn:simpul:request:1').errors).toEqual([
      { pointer: '/data/jenis', reason: 'bukan salah satu pilihan', expected: 'salah satu dari cegah, tangkal' },
    ]);
  });

  it('get their code from the code of a framework error, then from its status; every other error is internal', () => {
    expect(faultOf(Object.assign(new Error('x'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 })).code).toBe(
      'body_too_large',
    );
    expect(faultOf({ statusCode: 418 }).code).toBe('invalid_request');
    expect(faultOf({ status: 404 }).code).toBe('not_found');
    for (const odd of [undefined, null, 'x', 5, new Error('x'), { statusCode: 500 }])
      expect(faultOf(odd).code).toBe('internal');
  });
});

describe('cursors', () => {
  it('decode to the value that was encoded; every other text is invalid_cursor', () => {
    const shape = z.strictObject({ after: z.string() });
    expect(decodeCursor(encodeCursor({ after: 'é/…' }), shape)).toEqual({ after: 'é/…' });
    for (const bad of [
      '',
      '%',
      'AAAA',
      encodeCursor({ after: 1 }),
      encodeCursor({ after: 'x', more: 1 }),
      'a'.repeat(9_000),
    ])
      expect(() => decodeCursor(bad, shape)).toThrow(expect.objectContaining({ code: 'invalid_cursor' }));
  });
  it('replace the cursor in the URL of the next page', () => {
    expect(nextUrl('/v1/x', 'c')).toBe('/v1/x?cursor=c');
    expect(nextUrl('/v1/x?limit=2&cursor=a', 'c')).toBe('/v1/x?limit=2&cursor=c');
    // A question mark inside the query is part of it.
    expect(nextUrl('/v1/x?text=a?b&limit=2', 'c')).toBe('/v1/x?text=a%3Fb&limit=2&cursor=c');
  });
});

describe('server-sent events', () => {
  it('keep their format whatever text they carry', () => {
    expect(formatEvent({ id: 'a\nb', event: 'x\r\n', data: 'one\ntwo\r\nthree' })).toBe(
      'id: ab\nevent: x\ndata: one\ndata: two\ndata: three\n\n',
    );
    expect(formatEvent({ id: '7' })).toBe('id: 7\n\n');
  });
});

describe('the table of routes', () => {
  it('finds the methods of a path, whatever its parameters are', () => {
    const t = new RouteTable();
    for (const [method, url] of [
      ['GET', '/v1/a/:id'],
      ['DELETE', '/v1/a/:id'],
      ['GET', '/v1/a/:id/b.c'],
    ] as const)
      t.add({ method, url });
    expect(t.methods('/v1/a/1?x=/v1/a/2/b.c')).toEqual(['DELETE', 'GET']);
    expect(t.methods('/v1/a/1/b.c')).toEqual(['GET']);
    expect(t.methods('/v1/a/1/bxc')).toEqual([]);
    expect(Object.keys((openapiOf(t.list()) as { paths: object }).paths)).toEqual(['/v1/a/{id}', '/v1/a/{id}/b.c']);
  });
});
