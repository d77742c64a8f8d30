import { defineTexts } from '#faults';

/** Why log.sqlite is not opened as it is (`log_incomplete`). */
export const texts = defineTexts({
  is_a_backup: {
    id: 'map ini adalah cadangan; hub akan mengubahnya. Pulihkan ke map data: simpul --data MAP restore CADANGAN',
    en: 'this folder is a backup, and a hub would change it. Restore it into a data folder: simpul --data DIR restore BACKUP',
  },
  restore_interrupted: {
    id: 'pemulihan ke map ini belum selesai; jalankan lagi simpul restore yang sama',
    en: 'a restore into this folder has not ended; run the same simpul restore again',
  },
  mark_unreadable: {
    id: 'log.mark tidak dapat dibaca, jadi tidak diketahui apakah log.sqlite utuh',
    en: 'log.mark cannot be read, so it is not known whether log.sqlite is whole',
  },
  file_missing: {
    id: 'berkas ini tidak ada atau kosong, padahal log pernah ada di map ini',
    en: 'this file is missing or empty, but the folder has held a log',
  },
  no_tables: {
    id: 'berkas ini tidak berisi apa pun tanpa log.sqlite-wal, dan berkas itu tidak ada atau rusak',
    en: 'this file holds nothing without log.sqlite-wal, which is missing or damaged',
  },
  other_log: {
    id: 'berkas ini milik log lain ({found}), bukan log map ini ({expected})',
    en: 'this file is of another log ({found}) than the log of this folder ({expected})',
  },
  older_than_stop: {
    id: 'berkas ini lebih tua daripada saat hub terakhir berhenti dengan tertib: {found} dari {expected} rekaman',
    en: 'this file is older than the last orderly stop of the hub: {found} of {expected} records',
  },
  wal_missing: {
    id: 'log.sqlite-wal tidak ada, dan tanpa itu hanya ada {found} dari {expected} rekaman',
    en: 'log.sqlite-wal is missing, and without it there are only {found} of {expected} records',
  },
  wal_short: {
    id: 'log.sqlite-wal rusak, atau map ini disalin selagi hub berjalan: hanya ada {found} dari {expected} rekaman',
    en: 'log.sqlite-wal is damaged, or the folder was copied while a hub ran: there are only {found} of {expected} records',
  },
});
