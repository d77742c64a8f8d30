import type { Language } from '#faults';

type Row = readonly [command: string, id: string, en: string];

/** By what a person wants to do. Each command is one of the program, with arguments that fit (commands.int.spec.ts). */
export const CHEAT: readonly { readonly id: string; readonly en: string; readonly rows: readonly Row[] }[] = [
  {
    id: 'MULAI',
    en: 'BEGIN',
    rows: [
      ['simpul doctor', 'apakah hub bekerja', 'does the hub work'],
      ['simpul key create SU00123 --system simkim', 'kunci sebuah unit', 'a key of a unit'],
      ['simpul ctx use pusat', 'pindah ke hub bernama', 'work with a named hub'],
    ],
  },
  {
    id: 'COBA KEJADIAN (UJI)',
    en: 'TRY EVENTS (TESTS)',
    rows: [
      ["simpul listen 'imigrasi.#' --test", 'dengarkan, juga kejadian uji', 'listen, test events too'],
      ['simpul trigger imigrasi.paspor.diterbitkan', 'kirim contoh sebagai uji', 'send a sample as a test'],
      ['simpul type get imigrasi.paspor.diterbitkan', 'kontrak: isian dan pengirim', 'contract: fields, publishers'],
    ],
  },
  {
    id: 'KIRIM DAN BACA',
    en: 'SEND AND READ',
    rows: [
      ['simpul publish event.json', 'catat fakta dari berkas', 'record facts of a file'],
      ['simpul stream tail imigrasi.paspor -f', 'baca aliran, terus', 'read a stream, go on'],
      ['simpul state ls imigrasi.cegah-aktif', 'keadaan sekarang', 'current state'],
      ['simpul event imigrasi.paspor/3/1042', 'satu kejadian', 'one event'],
    ],
  },
  {
    id: 'ADA APA?',
    en: 'WHAT IS WRONG?',
    rows: [
      ['simpul publish event.json --dry-run', 'periksa saja', 'check only'],
      ['simpul refusals', 'apa yang ditolak, mengapa', 'what was refused, and why'],
      ['simpul receipt <source> <id>', 'apakah sudah tercatat', 'was it recorded'],
    ],
  },
];

/** One screen of 24 lines and 80 columns. */
export function cheatSheet(lang: Language): string {
  const width = Math.max(...CHEAT.flatMap(({ rows }) => rows.map(([command]) => command.length)));
  const lines = CHEAT.flatMap((part) => [
    part[lang],
    ...part.rows.map(([command, id, en]) => `  ${command.padEnd(width)}  ${lang === 'en' ? en : id}`),
  ]);
  return `${lines.join('\n')}\n`;
}
