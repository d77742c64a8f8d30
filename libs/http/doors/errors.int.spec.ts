import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { actionOf, FAULTS, type FaultCode, type FaultRow } from '#faults';
import { createHash } from 'node:crypto';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import type { HttpServer } from '../index.js';
import { statusOf } from '../status.js';
import { errorsPage } from './errors.js';

let server: HttpServer;
beforeAll(async () => {
  server = await serveEdge({});
});
afterAll(() => server.close());

const page = async (language?: string): Promise<{ r: Response; html: string }> => {
  const r = await fetch(`${server.url}/docs/errors`, language ? { headers: { 'accept-language': language } } : {});
  return { r, html: await r.text() };
};
const seen = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

describe('the error page', () => {
  it('is where the type of a problem document points, at the row of its code, without a key', async () => {
    const problem = await fetch(`${server.url}/v1/nowhere`);
    const { type } = (await problem.json()) as { type: string };
    const link = new URL(type, problem.url);
    const r = await fetch(link);
    expect([r.status, r.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await r.text()).toContain(`<tr id="${link.hash.slice(1)}">`);
  });

  it('has one row for every code of the fault table: status, class, text and next step in both languages', async () => {
    for (const language of ['id', 'en']) {
      const { html } = await page(language);
      const rows = [...html.matchAll(/<tr id="([a-z0-9_]+)">(.*)<\/tr>/g)].map((m) => [m[1]!, m[2]!] as const);
      expect(rows.map(([code]) => code)).toEqual(Object.keys(FAULTS));
      const table: Record<string, FaultRow> = FAULTS;
      for (const [code, html] of rows) {
        const f = table[code]!;
        expect(html).toContain(`<td>${statusOf(code as FaultCode)}</td>`);
        expect(html).toContain(
          { retryable: 'retryable:', terminal: 'terminal:', poison: 'poison:' }[actionOf(code as FaultCode)],
        );
        for (const text of [f.title.id, f.title.en, f.hint.id, f.hint.en]) expect(html).toContain(`>${seen(text)}<`);
      }
    }
  });

  it('puts the language of Accept-Language first, Indonesian without one', async () => {
    for (const [asked, language, first, second] of [
      [undefined, 'id', 'id', 'en'],
      ['en-GB,id;q=0.5', 'en', 'en', 'id'],
    ] as const) {
      const { r, html } = await page(asked);
      expect([r.headers.get('content-language'), r.headers.get('vary')]).toEqual([language, 'accept-language']);
      expect(html).toContain(`<html lang="${language}">`);
      const { not_found: f } = FAULTS;
      expect(html).toContain(`<p>${f.title[first]}</p><p class="o" lang="${second}">${f.title[second]}</p>`);
    }
  });

  it('loads nothing and runs nothing: its Content Security Policy allows only its one style', async () => {
    const { r, html } = await page();
    const style = /<style>(.*)<\/style>/s.exec(html)![1]!;
    const digest = createHash('sha256').update(style).digest('base64');
    expect(r.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(html).not.toMatch(/<script|<link|<img|\sstyle=|\son[a-z]+=|https?:/);
  });

  it('escapes every text of the fault table', () => {
    const row: FaultRow = {
      class: 'malformed',
      title: { id: '<b>', en: '"&' },
      hint: { id: "'", en: '</td>' },
    };
    const html = errorsPage('id', { a_b: row });
    expect(html).toContain('<p>&#60;b&#62;</p><p class="o" lang="en">&#34;&#38;</p>');
    expect(html).toContain('&#60;/td&#62;');
  });
});
