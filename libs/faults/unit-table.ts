import type { FaultRow } from './table.js';

/** The part of the table of errors that no door answers: codes that a program of a unit sees from the parts that it installs. The detail of the fault stands behind the title. */
export const UNIT_FAULTS = {
  // the outbox
  outbox_unsupported: {
    class: 'unusable',
    title: {
      id: 'Kotak keluar memerlukan node:sqlite, yang ada sejak Node 22.13',
      en: 'The outbox needs node:sqlite, which Node has from 22.13 on',
    },
    hint: { id: 'Jalankan dengan Node 22.13 atau lebih baru.', en: 'Run it with Node 22.13 or newer.' },
  },
  outbox_locked: {
    class: 'unavailable',
    title: {
      id: 'Berkas kotak keluar sedang dipakai proses atau publisher lain',
      en: 'The file of the outbox is in use by another process or publisher',
    },
    hint: {
      id: 'Hentikan yang itu, atau beri setiap proses berkasnya sendiri.',
      en: 'Stop that one, or give each process a file of its own.',
    },
  },
  outbox_unwritable: {
    class: 'unusable',
    title: { id: 'Berkas kotak keluar tidak dapat dibuka', en: 'The file of the outbox cannot be opened' },
    hint: {
      id: 'Buat foldernya dan izinkan proses ini menulis di sana.',
      en: 'Create its folder and allow this process to write there.',
    },
  },
  outbox_foreign: {
    class: 'unusable',
    title: { id: 'Berkas ini bukan kotak keluar Simpul', en: 'This file is no outbox of Simpul' },
    hint: { id: 'Pilih nama berkas yang lain.', en: 'Choose another file name.' },
  },
  outbox_newer: {
    class: 'unusable',
    title: {
      id: 'Berkas kotak keluar dibuat oleh versi @simpul/sdk yang lebih baru',
      en: 'The file of the outbox was made by a newer version of @simpul/sdk',
    },
    hint: {
      id: 'Pasang versi itu lagi untuk mengirim isinya.',
      en: 'Install that version again to send what it holds.',
    },
  },
  outbox_other_source: {
    class: 'conflict',
    title: { id: 'Kotak keluar ini milik sistem lain', en: 'This outbox belongs to another system' },
    hint: {
      id: 'Pakai owner dan system yang sama, atau berkas lain.',
      en: 'Use the same owner and system, or another file.',
    },
  },
  outbox_corrupt: {
    class: 'unusable',
    title: { id: 'Kotak keluar rusak', en: 'The outbox is damaged' },
    hint: {
      id: 'Pindahkan berkasnya untuk diperiksa (kejadian yang belum terkirim ada di dalamnya) dan mulai lagi dengan berkas baru.',
      en: 'Move the file away to be examined (it holds the events that were not sent yet) and start again with a new one.',
    },
  },
  outbox_disk_full: {
    class: 'unavailable',
    title: { id: 'Disk penuh, kejadian tidak diantrekan', en: 'The disk is full, the event was not queued' },
    hint: { id: 'Kosongkan ruang, lalu terbitkan lagi.', en: 'Free some space, then publish again.' },
  },
  outbox_disk: {
    class: 'unavailable',
    title: {
      id: 'Disk gagal menulis, kejadian tidak diantrekan',
      en: 'The disk failed to write, the event was not queued',
    },
    hint: { id: 'Periksa disk, lalu terbitkan lagi.', en: 'Check the disk, then publish again.' },
  },
  outbox_full: {
    class: 'unavailable',
    title: { id: 'Kotak keluar penuh sampai batas waktu', en: 'The outbox was full until the deadline' },
    hint: {
      id: 'Lihat status(): hub mungkin tidak menjawab; terbitkan lagi nanti.',
      en: 'See status(): the hub may not answer; publish again later.',
    },
  },
  outbox_event_too_large: {
    class: 'too_large',
    title: { id: 'Satu kejadian melebihi batas kotak keluar', en: 'One event is above the limit of the outbox' },
    hint: { id: 'Kecilkan kejadiannya atau naikkan maxBytes.', en: 'Make the event smaller or raise maxBytes.' },
  },
  outbox_invalid_event: {
    class: 'invalid',
    title: { id: 'Kejadian tidak dapat diantrekan', en: 'The event cannot be queued' },
    hint: { id: 'Perbaiki kejadiannya.', en: 'Correct the event.' },
  },
  outbox_id_reused: {
    class: 'conflict',
    title: {
      id: 'Id ini sudah dipakai kejadian lain di kotak keluar',
      en: 'This id belongs to another event in the outbox',
    },
    hint: { id: 'Beri kejadian ini id baru.', en: 'Give this event a new id.' },
  },
  outbox_unknown_event: {
    class: 'not_found',
    title: { id: 'Tidak ada kejadian yang ditolak dengan id ini', en: 'No refused event has this id' },
    hint: { id: 'Lihat refused().', en: 'See refused().' },
  },
  outbox_not_settled: {
    class: 'unavailable',
    title: {
      id: 'Belum semua terkirim sampai batas waktu; masih antre',
      en: 'Not everything was sent until the deadline; still queued',
    },
    hint: { id: 'Lihat status(); semuanya tersimpan.', en: 'See status(); all of it is stored.' },
  },
  outbox_closed: {
    class: 'unavailable',
    title: { id: 'Kotak keluar sudah ditutup', en: 'The outbox is closed' },
    hint: { id: 'Yang antre dikirim pada jalan berikutnya.', en: 'What is queued is sent by the next run.' },
  },
  outbox_no_transaction: {
    class: 'invalid',
    title: { id: 'outboxIn() memerlukan transaksi yang terbuka', en: 'outboxIn() needs an open transaction' },
    hint: { id: 'Mulai dengan BEGIN pada koneksi yang sama.', en: 'Start one with BEGIN on the same connection.' },
  },
  outbox_no_tables: {
    class: 'unusable',
    title: { id: 'Tabel kotak keluar tidak ada di database ini', en: 'This database has no outbox tables' },
    hint: {
      id: 'Jalankan outboxTables sekali, misalnya dalam migrasi.',
      en: 'Run outboxTables once, in a migration for example.',
    },
  },
  // a hub for tests
  test_hub_missing: {
    class: 'unusable',
    title: { id: 'Paket simpul (hub) tidak ditemukan', en: 'The package simpul (the hub) was not found' },
    hint: { id: 'Pasang: npm install --save-dev simpul', en: 'Install it: npm install --save-dev simpul' },
  },
  test_hub_node: {
    class: 'unusable',
    title: { id: 'Hub memerlukan Node yang lebih baru', en: 'The hub needs a newer Node' },
    hint: {
      id: 'Jalankan tes dengan itu, atau sebut berkas node-nya dalam pilihan node.',
      en: 'Run the tests with it, or name its file in the option node.',
    },
  },
  test_hub_failed: {
    class: 'unusable',
    title: { id: 'Hub untuk tes tidak dapat dijalankan', en: 'The hub for tests could not start' },
    hint: { id: 'Perbaiki sebabnya, lalu jalankan tes lagi.', en: 'Correct the cause, then run the tests again.' },
  },
  test_hub_not_settled: {
    class: 'unavailable',
    title: {
      id: 'Hub belum selesai mengolah kejadian sampai batas waktu',
      en: 'The hub had not worked through the events at the deadline',
    },
    hint: {
      id: 'Naikkan batas waktunya (deadlineMs), atau lihat log hub.',
      en: 'Raise the deadline (deadlineMs), or look at the log of the hub.',
    },
  },
  // an app that is given the events of a subscription
  subscription_changed: {
    class: 'conflict',
    title: {
      id: 'Langganan dengan nama ini sudah ada dan menerima hal lain',
      en: 'The subscription of this name is there, and gets something else',
    },
    hint: {
      id: 'Samakan isinya, pilih nama lain, atau izinkan perubahan: onChange: "update" di SimpulModule, change: true di subscribe(). Tidak ada kejadian yang terlewat atau terulang karenanya.',
      en: 'Make them the same, choose another name, or allow the change: onChange: "update" in SimpulModule, change: true in subscribe(). No event is skipped or repeated by it.',
    },
  },
  subscription_refused: {
    class: 'unusable',
    title: { id: 'Hub menolak langganan aplikasi ini', en: 'The hub refuses the subscription of this app' },
    hint: {
      id: 'Perbaiki yang disebut di sini. Kunci memerlukan peran reader; nama terdiri dari huruf kecil, angka dan "-" (pilihan subscription.name).',
      en: 'Correct what is named here. The key needs the role reader; a name has lower-case letters, digits and "-" (option subscription.name).',
    },
  },
  handler_option_unfit: {
    class: 'unusable',
    title: {
      id: 'Pilihan penangan tidak cocok dengan langganan di hub',
      en: 'An option of a handler does not fit a subscription of the hub',
    },
    hint: {
      id: 'Jeda dan parkir diatur hub: hapus pilihan itu, atau baca aliran langsung dengan source: "stream".',
      en: 'Waits and parking are those of the hub: leave the option out, or read the streams themselves with source: "stream".',
    },
  },
  // an app under test
  no_handler: {
    class: 'not_found',
    title: { id: 'Aplikasi tidak memiliki penangan jenis ini', en: 'The app has no handler of this type' },
    hint: {
      id: 'Periksa bahwa kelas dengan @OnEvent ada di antara providers, dan bahwa app.init() sudah selesai.',
      en: 'Check that the class with @OnEvent is among the providers, and that app.init() has ended.',
    },
  },
  not_in_memory: {
    class: 'unusable',
    title: {
      id: 'Tes ini tidak memiliki hub, dan aplikasi memintanya',
      en: 'This test has no hub, and the app asks it',
    },
    hint: {
      id: 'Ganti penyedia itu dengan overrideProvider(SimpulReader), atau pakai SimpulTestingModule.forRoot.',
      en: 'Replace the provider by overrideProvider(SimpulReader), or use SimpulTestingModule.forRoot.',
    },
  },
  app_not_settled: {
    class: 'unavailable',
    title: {
      id: 'Aplikasi belum selesai menangani kejadian sampai batas waktu',
      en: 'The app had not handled the events at the deadline',
    },
    hint: {
      id: 'Naikkan batas waktunya (deadlineMs), atau lihat apa yang ditunggu penangan.',
      en: 'Raise the deadline (deadlineMs), or look at what its handlers wait for.',
    },
  },
  app_ended: {
    class: 'unusable',
    title: { id: 'Aplikasi tidak menangani kejadian lagi', en: 'The app handles no events any more' },
    hint: {
      id: 'Perbaiki sebabnya: seluruh aplikasi akan berhenti di sana.',
      en: 'Correct the cause: the whole app would end there.',
    },
  },
} as const satisfies Readonly<Record<string, FaultRow>>;

export type UnitFaultCode = keyof typeof UNIT_FAULTS;
