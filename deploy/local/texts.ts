import { defineTexts } from '#faults';

/** Texts of the launcher. */
export const texts = defineTexts({
  // wrong options
  engine_wrong: { id: '--engine {given}: embedded atau kafka', en: '--engine {given}: embedded or kafka' },
  port_wrong: { id: '--port {given}: 0 sampai 65535', en: '--port {given}: 0 to 65535' },
  lang_wrong: { id: '--lang {given}: id atau en', en: '--lang {given}: id or en' },
  no_day_to_end: {
    id: '--no-demo tidak punya hari yang berakhir: hilangkan --once dan --chaos',
    en: '--no-demo has no day to end: leave out --once and --chaos',
  },
  // why a start failed
  data_locked: {
    id: 'Map data sedang dipakai: {detail}. Hentikan proses itu (kill <pid>), atau pakai --data MAP_LAIN.',
    en: 'The data folder is in use: {detail}. Stop that process (kill <pid>), or use --data OTHER_FOLDER.',
  },
  port_taken: {
    id: 'Port {port} sudah dipakai. Pakai port lain: {command}',
    en: 'Port {port} is taken. Use another: {command}',
  },
  data_format: {
    id: 'Map data tidak cocok: {detail}. Pakai --data MAP_LAIN.',
    en: 'The data folder does not fit: {detail}. Use --data OTHER_FOLDER.',
  },
  not_a_folder: {
    id: '{path} bukan map. Pakai --data MAP_LAIN.',
    en: '{path} is not a folder. Use --data OTHER_FOLDER.',
  },
  folder_unwritable: {
    id: 'Map data tidak dapat ditulis: {detail}. Beri hak tulis, atau pakai --data MAP_LAIN.',
    en: 'The data folder cannot be written: {detail}. Allow writing, or use --data OTHER_FOLDER.',
  },
  no_admin_key_kafka: {
    id: 'Kunci admin sudah ada, tetapi berkasnya tidak di map ini. Buat yang baru selagi hub menyala: {command}',
    en: 'There is an admin key, but its file is not in this folder. Make a new one while the hub is up: {command}',
  },
  no_admin_key_embedded: {
    id: 'Kunci admin sudah ada, tetapi berkasnya tidak di map ini. Buat yang baru sesudah hub berhenti: {command}',
    en: 'There is an admin key, but its file is not in this folder. Make a new one after the hub has stopped: {command}',
  },
  // steps and lines
  kafka_and_redis: { id: 'mesin Kafka dan Redis', en: 'Kafka and Redis' },
  hub: { id: 'hub', en: 'hub' },
  admin_key: { id: 'Kunci admin: {file}', en: 'Admin key: {file}' },
  stop_with_ctrl_c: { id: 'Berhenti: Ctrl-C', en: 'Stop: Ctrl-C' },
  hub_stays_up: {
    id: 'Hub tetap menyala: {url}   Berhenti: Ctrl-C',
    en: 'The hub stays up: {url}   Stop: Ctrl-C',
  },
  unit_system_keys: { id: 'kunci {count} sistem unit', en: 'keys of {count} unit systems' },
  day_failed: {
    id: '✗ Hari itu berakhir dengan galat ({code}).',
    en: '✗ The day ended with an error ({code}).',
  },
  checking: { id: 'memeriksa ulang dari log', en: 'checking again from the log' },
  hub_killed: {
    id: '  hub dimatikan paksa {kills} kali di tengah hari itu',
    en: '  the hub was killed {kills} times during that day',
  },
});
