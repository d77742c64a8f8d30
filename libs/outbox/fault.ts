interface Text {
  readonly id: string;
  readonly en: string;
}
interface Row extends Text {
  /** Whether the same call may succeed later without a change of the caller. */
  readonly retryable: boolean;
}

/** Every fault of the outbox: what is wrong and what to do, Indonesian first. `{}` is the detail: a file, a number, an id. */
const TABLE = {
  outbox_unsupported: {
    id: 'Kotak keluar memerlukan node:sqlite. Jalankan dengan Node 22.13 atau lebih baru; ini {}.',
    en: 'The outbox needs node:sqlite. Run it with Node 22.13 or newer; this is {}.',
    retryable: false,
  },
  outbox_locked: {
    id: 'Berkas {} sedang dipakai proses atau publisher lain. Hentikan yang itu, atau beri setiap proses berkasnya sendiri.',
    en: 'The file {} is in use by another process or publisher. Stop that one, or give each process a file of its own.',
    retryable: true,
  },
  outbox_unwritable: {
    id: 'Berkas kotak keluar tidak dapat dibuka: {}. Buat foldernya dan izinkan proses ini menulis di sana.',
    en: 'The outbox file cannot be opened: {}. Create its folder and allow this process to write there.',
    retryable: false,
  },
  outbox_foreign: {
    id: 'Berkas {} bukan kotak keluar Simpul. Pilih nama berkas yang lain.',
    en: 'The file {} is no outbox of Simpul. Choose another file name.',
    retryable: false,
  },
  outbox_newer: {
    id: 'Berkas {} dibuat oleh versi @simpul/sdk yang lebih baru. Pasang versi itu lagi untuk mengirim isinya.',
    en: 'The file {} was made by a newer version of @simpul/sdk. Install that version again to send what it holds.',
    retryable: false,
  },
  outbox_other_source: {
    id: 'Kotak keluar ini milik sistem lain: {}. Pakai owner dan system yang sama, atau berkas lain.',
    en: 'This outbox belongs to another system: {}. Use the same owner and system, or another file.',
    retryable: false,
  },
  outbox_corrupt: {
    id: 'Kotak keluar rusak: {}. Pindahkan berkasnya untuk diperiksa (kejadian yang belum terkirim ada di dalamnya) dan mulai lagi dengan berkas baru.',
    en: 'The outbox is damaged: {}. Move the file away to be examined (it holds the events that were not sent yet) and start again with a new one.',
    retryable: false,
  },
  outbox_disk_full: {
    id: 'Disk penuh, kejadian tidak diantrekan: {}. Kosongkan ruang, lalu terbitkan lagi.',
    en: 'The disk is full, the event was not queued: {}. Free some space, then publish again.',
    retryable: true,
  },
  outbox_disk: {
    id: 'Disk gagal menulis, kejadian tidak diantrekan: {}. Periksa disk, lalu terbitkan lagi.',
    en: 'The disk failed to write, the event was not queued: {}. Check the disk, then publish again.',
    retryable: true,
  },
  outbox_full: {
    id: 'Kotak keluar penuh ({}) sampai batas waktu. Lihat status(): hub mungkin tidak menjawab; terbitkan lagi nanti.',
    en: 'The outbox was full ({}) until the deadline. See status(): the hub may not answer; publish again later.',
    retryable: true,
  },
  outbox_event_too_large: {
    id: 'Satu kejadian melebihi batas kotak keluar: {}. Kecilkan kejadiannya atau naikkan maxBytes.',
    en: 'One event is above the limit of the outbox: {}. Make the event smaller or raise maxBytes.',
    retryable: false,
  },
  outbox_invalid_event: {
    id: 'Kejadian tidak dapat diantrekan: {}. Perbaiki kejadiannya.',
    en: 'The event cannot be queued: {}. Correct the event.',
    retryable: false,
  },
  outbox_id_reused: {
    id: 'Id {} sudah dipakai kejadian lain di kotak keluar. Beri kejadian ini id baru.',
    en: 'The id {} belongs to another event in the outbox. Give this event a new id.',
    retryable: false,
  },
  outbox_unknown_event: {
    id: 'Tidak ada kejadian yang ditolak dengan id {}. Lihat refused().',
    en: 'No refused event has the id {}. See refused().',
    retryable: false,
  },
  outbox_not_settled: {
    id: 'Belum semua terkirim sampai batas waktu: {} masih antre. Lihat status(); semuanya tersimpan.',
    en: 'Not everything was sent until the deadline: {} still queued. See status(); all of it is stored.',
    retryable: true,
  },
  outbox_closed: {
    id: 'Kotak keluar sudah ditutup{}. Yang antre dikirim pada jalan berikutnya.',
    en: 'The outbox is closed{}. What is queued is sent by the next run.',
    retryable: true,
  },
  outbox_no_transaction: {
    id: 'outboxIn({}) memerlukan transaksi yang terbuka. Mulai dengan BEGIN pada koneksi yang sama.',
    en: 'outboxIn({}) needs an open transaction. Start one with BEGIN on the same connection.',
    retryable: false,
  },
  outbox_no_tables: {
    id: 'Tabel kotak keluar tidak ada di database ini: {}. Jalankan outboxTables sekali, misalnya dalam migrasi.',
    en: 'This database has no outbox tables: {}. Run outboxTables once, in a migration for example.',
    retryable: false,
  },
} as const satisfies Readonly<Record<string, Row>>;

export type OutboxFaultCode = keyof typeof TABLE;

/** Why the outbox did not do what it was asked. `code` is stable; the message is one line with the remedy, in Indonesian, then in English. */
export class OutboxFault extends Error {
  readonly code: OutboxFaultCode;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  /** The file, the number or the id that the message names. */
  readonly detail: string;

  constructor(code: OutboxFaultCode, detail = '', cause?: unknown) {
    const { id, en, retryable } = TABLE[code];
    const say = (text: string): string => text.replace('{}', () => detail);
    super(`${code}: ${say(id)} / ${say(en)}`, cause === undefined ? undefined : { cause });
    this.name = 'OutboxFault';
    this.code = code;
    this.detail = detail;
    this.retryable = retryable;
  }
}

export function isOutboxFault(e: unknown): e is OutboxFault {
  return typeof e === 'object' && e !== null && (e as { name?: unknown }).name === 'OutboxFault';
}
