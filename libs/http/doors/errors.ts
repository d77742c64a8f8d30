import { FAULT_CLASSES, FAULTS, type FaultCode, type FaultRow } from '#faults';
import { Controller, Get, Header, Headers, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { createHash } from 'node:crypto';
import { RouteConfig } from '../controllers.js';
import { ERRORS_PATH, languageOf, type Language } from '../problem.js';
import { statusOf } from '../status.js';

const WORDS = {
  id: {
    title: 'Arti setiap kesalahan',
    intro: 'Anggota <code>type</code> dari setiap dokumen masalah menunjuk ke satu baris di sini.',
    head: ['Kode', 'Status', 'Golongan', 'Artinya', 'Langkah berikut'],
    retryable: 'boleh diulang: kirim lagi yang sama nanti',
    terminal: 'tetap: ubah permintaannya',
    poison: 'rekaman ini tidak akan pernah dapat diolah',
  },
  en: {
    title: 'What each error means',
    intro: 'The member <code>type</code> of every problem document points at one row here.',
    head: ['Code', 'Status', 'Class', 'Meaning', 'Next step'],
    retryable: 'retryable: send the same again later',
    terminal: 'terminal: change the request',
    poison: 'poison: this record can never be processed',
  },
} as const;

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.5rem .75rem;border-bottom:1px solid #ddd}' +
  'tr:target{background:#fff3c4}p.o{margin:0;color:#595959}p{margin:0}td code{white-space:nowrap}' +
  // On a phone each row is a block, its code the heading.
  '@media(max-width:48rem){thead{display:none}tr,td{display:block}tr{border-bottom:1px solid #ddd;padding:.75rem 0}' +
  'td{border:0;padding:.15rem 0}td:first-child{font-weight:bold}}';

/** Content Security Policy: the page loads nothing and runs nothing; its one style is allowed by its digest. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The fault table as a page that needs no other file: each text in the asked language and below it in the other one; the `id` of a row is its code. */
export function errorsPage(language: Language, faults: Readonly<Record<string, FaultRow>> = FAULTS): string {
  const words = WORDS[language];
  const other = language === 'id' ? 'en' : 'id';
  const both = (text: Record<Language, string>): string =>
    `<p>${escaped(text[language])}</p><p class="o" lang="${other}">${escaped(text[other])}</p>`;
  const rows = Object.entries(faults).map(([code, f]) => {
    const { action } = FAULT_CLASSES[f.class];
    return (
      `<tr id="${escaped(code)}"><td><a href="#${escaped(code)}"><code>${escaped(code)}</code></a></td><td>${statusOf(code as FaultCode, f)}</td>` +
      `<td>${both({ id: WORDS.id[action], en: WORDS.en[action] })}</td><td>${both(f.title)}</td><td>${both(f.hint)}</td></tr>`
    );
  });
  return [
    `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>Simpul · ${words.title}</title><style>${STYLE}</style></head><body><main>`,
    `<h1>${words.title}</h1><p>${words.intro}</p><p class="o" lang="${other}">${WORDS[other].title}. ${WORDS[other].intro}</p>`,
    `<table><thead><tr>${words.head.map((h) => `<th scope="col">${h}</th>`).join('')}</tr></thead><tbody>`,
    ...rows,
    '</tbody></table></main></body></html>\n',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** `GET /docs/errors`: where the `type` of a problem document points, for a person with a browser. Every server that answers problems has it. */
@Controller()
export class ErrorsController {
  readonly #pages = { id: errorsPage('id'), en: errorsPage('en') };

  @Get(ERRORS_PATH)
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('vary', 'accept-language')
  @Header('cache-control', 'max-age=300')
  @Header('content-security-policy', POLICY)
  @Header('x-content-type-options', 'nosniff')
  @Header('referrer-policy', 'no-referrer')
  @RouteConfig({ open: true, summary: 'What each error code means, as a page; #code is where `type` points' })
  page(
    @Headers('accept-language') accepted: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const language = languageOf(accepted);
    reply.header('content-language', language);
    return this.#pages[language];
  }
}
