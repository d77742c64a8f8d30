import { defineTexts } from '#faults';

/** Why the URL of a webhook is not accepted. */
export const texts = defineTexts({
  url_invalid: { id: 'bukan URL', en: 'not a URL' },
  url_too_long: { id: 'lebih dari {most} karakter', en: 'more than {most} characters' },
  url_scheme: {
    id: 'skema {scheme} tidak diterima untuk alamat ini',
    en: 'the scheme {scheme} is not accepted for this address',
  },
  url_credentials: { id: 'memuat nama pengguna atau kata sandi', en: 'holds a user name or a password' },
  url_fragment: { id: 'memuat fragmen (#…)', en: 'holds a fragment (#…)' },
  url_port: {
    id: 'port {port} tidak diterima untuk alamat ini',
    en: 'the port {port} is not accepted for this address',
  },
  url_address: {
    id: '{host} bukan alamat publik, dan jaringannya tidak diizinkan',
    en: '{host} is not a public address, and its network is not allowed',
  },
  url_expected: {
    id: 'URL https dengan port 443 atau 8443; http dan port lain hanya untuk jaringan di SIMPUL_WEBHOOK_ALLOW',
    en: 'an https URL with port 443 or 8443; http and other ports only for networks in SIMPUL_WEBHOOK_ALLOW',
  },
});
