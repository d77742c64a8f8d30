import type { Bilingual } from './text.js';

/**
 * What kind of error a code is. Core code and doors decide by the class, never by a status of a protocol.
 * `action`: what a caller may do. retryable: send the same again later · terminal: change the request · poison: this one record can never be processed.
 * `blame`: what has to change, the request or the hub.
 */
export const FAULT_CLASSES = {
  /** The request cannot be read or does not follow the protocol. */
  malformed: { action: 'terminal', blame: 'request' },
  /** The request arrived too slowly. */
  timeout: { action: 'retryable', blame: 'request' },
  too_large: { action: 'terminal', blame: 'request' },
  unauthenticated: { action: 'terminal', blame: 'request' },
  forbidden: { action: 'terminal', blame: 'request' },
  not_found: { action: 'terminal', blame: 'request' },
  /** The requested position existed, but its records are no longer kept. */
  gone: { action: 'terminal', blame: 'request' },
  /** The request contradicts the current state. */
  conflict: { action: 'terminal', blame: 'request' },
  /** The request can be read, and its content breaks a rule. */
  invalid: { action: 'terminal', blame: 'request' },
  /** Avro bytes that no reader can decode. */
  undecodable: { action: 'poison', blame: 'request' },
  /** The caller is over its quota. */
  throttled: { action: 'retryable', blame: 'request' },
  /** The hub or a store behind it cannot do it at this moment. */
  unavailable: { action: 'retryable', blame: 'hub' },
  /** An unexpected error: a bug, or a failure without a code of its own. */
  internal: { action: 'retryable', blame: 'hub' },
  /** Settings, data or a writer of the hub cannot be used as they are; only an operator or the owner of the writer can change that. */
  unusable: { action: 'terminal', blame: 'hub' },
  /** A record of a stream that can never be processed. */
  corrupt: { action: 'poison', blame: 'hub' },
} as const satisfies Record<string, { readonly action: FaultAction; readonly blame: 'request' | 'hub' }>;

export type FaultAction = 'retryable' | 'terminal' | 'poison';
export type FaultClass = keyof typeof FAULT_CLASSES;

/** One row of the table of errors. */
export interface FaultRow {
  readonly class: FaultClass;
  readonly title: Bilingual;
  /** One next step. */
  readonly hint: Bilingual;
}

/** The one table of errors: every code that a caller, an operator or a log line can see. Codes are stable. */
export const FAULTS = {
  // the form of a request
  invalid_request: {
    class: 'malformed',
    title: { id: 'Permintaan tidak sah', en: 'Invalid request' },
    hint: { id: 'Lihat errors: penunjuk, alasan, yang diharapkan.', en: 'See errors: pointer, reason, expected.' },
  },
  invalid_json: {
    class: 'malformed',
    title: { id: 'JSON tidak sah', en: 'Invalid JSON' },
    hint: { id: 'Periksa JSON dengan: python3 -m json.tool', en: 'Check the JSON with: python3 -m json.tool' },
  },
  invalid_utf8: {
    class: 'malformed',
    title: { id: 'Teks bukan UTF-8 yang sah', en: 'Text is not valid UTF-8' },
    hint: { id: 'Kirim dalam UTF-8 tanpa BOM.', en: 'Send UTF-8 without a BOM.' },
  },
  json_too_deep: {
    class: 'malformed',
    title: { id: 'JSON terlalu dalam', en: 'JSON nested too deeply' },
    hint: { id: 'Paling dalam 64 tingkat.', en: 'At most 64 levels.' },
  },
  duplicate_key: {
    class: 'malformed',
    title: { id: 'Nama anggota JSON ganda', en: 'Duplicate JSON member name' },
    hint: { id: 'Setiap nama hanya boleh sekali dalam satu objek.', en: 'A name may stand only once in an object.' },
  },
  forbidden_key: {
    class: 'malformed',
    title: { id: 'Nama anggota JSON terlarang', en: 'Forbidden JSON member name' },
    hint: {
      id: '__proto__, constructor dan prototype tidak diterima.',
      en: '__proto__, constructor and prototype are not accepted.',
    },
  },
  length_mismatch: {
    class: 'malformed',
    title: { id: 'Panjang isi tidak cocok', en: 'Body length does not match' },
    hint: { id: 'Content-Length harus sama dengan isi yang dikirim.', en: 'Content-Length must equal the body sent.' },
  },
  missing_attribute: {
    class: 'malformed',
    title: { id: 'Atribut wajib tidak ada', en: 'A required attribute is missing' },
    hint: { id: 'Isi atribut yang disebut di errors.', en: 'Give the attributes named in errors.' },
  },
  invalid_attribute: {
    class: 'invalid',
    title: { id: 'Atribut tidak sah', en: 'Invalid attribute' },
    hint: { id: 'Lihat errors: penunjuk, alasan, yang diharapkan.', en: 'See errors: pointer, reason, expected.' },
  },
  invalid_query: {
    class: 'malformed',
    title: { id: 'Parameter alamat tidak sah', en: 'Invalid query parameter' },
    hint: { id: 'Lihat errors untuk parameter yang salah.', en: 'See errors for the wrong parameter.' },
  },
  invalid_cursor: {
    class: 'malformed',
    title: { id: 'Penanda baca tidak sah', en: 'Invalid cursor' },
    hint: {
      id: 'Pakai nilai next dari jawaban sebelumnya, tanpa diubah.',
      en: 'Use next of the previous answer, unchanged.',
    },
  },
  unknown_cursor: {
    class: 'malformed',
    title: { id: 'Aliran berakhir sebelum penanda baca ini', en: 'The stream ends before this cursor' },
    hint: {
      id: 'Hub dipulihkan dari cadangan yang lebih lama, atau penandanya bukan dari hub ini. Mulai lagi dengan from=earliest; kejadian yang sudah ada pada Anda dikenali dari source dan id.',
      en: 'The hub was restored from an older backup, or the cursor is not from this hub. Start again with from=earliest; events that you have already are known by source and id.',
    },
  },
  bad_magic: {
    class: 'malformed',
    title: { id: 'Awalan data Avro tidak dikenal', en: 'Unknown Avro frame' },
    hint: {
      id: 'Kirim byte 0x00, nomor skema 4 byte, lalu data Avro.',
      en: 'Send byte 0x00, the 4-byte schema id, then Avro data.',
    },
  },
  clear_subject_refused: {
    class: 'malformed',
    title: { id: 'Pengenal pribadi tidak boleh ada di alamat', en: 'A personal identifier may not stand in a URL' },
    hint: { id: 'Pakai POST /v1/state/{view}/lookup.', en: 'Use POST /v1/state/{view}/lookup.' },
  },
  bad_request_line: {
    class: 'malformed',
    title: { id: 'Permintaan HTTP tidak sah', en: 'Malformed HTTP request' },
    hint: { id: 'Periksa alat yang mengirim permintaan.', en: 'Check the tool that sent the request.' },
  },
  body_too_large: {
    class: 'too_large',
    title: { id: 'Isi terlalu besar', en: 'Body too large' },
    hint: {
      id: 'Satu kejadian paling besar 1 MiB. Satu permintaan terbit paling besar 8 MiB dan 10.000 kejadian, permintaan kunci 256 KiB, pencarian 16 KiB, setiap permintaan lain 64 KiB.',
      en: 'One event is at most 1 MiB. A publish request is at most 8 MiB and 10,000 events, a request for keys 256 KiB, a look-up 16 KiB, every other request 64 KiB.',
    },
  },
  too_many_names: {
    class: 'too_large',
    title: { id: 'Terlalu banyak nama anggota JSON', en: 'Too many JSON member names' },
    hint: {
      id: 'limit menyebut batasnya. Bagi isi menjadi beberapa kejadian, atau pakai daftar alih-alih nama.',
      en: 'limit names the bound. Divide the content into several events, or use a list instead of names.',
    },
  },
  header_too_large: {
    class: 'too_large',
    title: { id: 'Kepala permintaan terlalu besar', en: 'Request header too large' },
    hint: { id: 'Kurangi kepala permintaan sampai di bawah 16 KiB.', en: 'Keep the request header under 16 KiB.' },
  },
  uri_too_long: {
    class: 'too_large',
    title: { id: 'Alamat terlalu panjang', en: 'URI too long' },
    hint: { id: 'Perpendek alamat.', en: 'Shorten the URI.' },
  },
  request_timeout: {
    class: 'timeout',
    title: { id: 'Permintaan terlalu lambat', en: 'Request too slow' },
    hint: { id: 'Kirim lagi dengan id yang sama.', en: 'Send again with the same id.' },
  },
  unsupported_media_type: {
    class: 'malformed',
    title: { id: 'Jenis isi tidak didukung', en: 'Unsupported media type' },
    hint: { id: 'Pakai application/cloudevents+json.', en: 'Use application/cloudevents+json.' },
  },
  not_acceptable: {
    class: 'malformed',
    title: { id: 'Bentuk jawaban tidak tersedia', en: 'Not acceptable' },
    hint: { id: 'Minta application/json.', en: 'Ask for application/json.' },
  },
  method_not_allowed: {
    class: 'malformed',
    title: { id: 'Metode tidak diizinkan', en: 'Method not allowed' },
    hint: { id: 'Lihat kepala Allow.', en: 'See the Allow header.' },
  },
  expectation_failed: {
    class: 'malformed',
    title: { id: 'Isi tajuk Expect tidak dikenal', en: 'Unknown expectation' },
    hint: {
      id: 'Kirim tanpa Expect, atau dengan Expect: 100-continue.',
      en: 'Send without Expect, or with Expect: 100-continue.',
    },
  },
  // who asks, and for what
  unauthenticated: {
    class: 'unauthenticated',
    title: { id: 'Kunci tidak ada atau tidak berlaku', en: 'No key or the key is not valid' },
    hint: {
      id: 'Kirim Authorization: Bearer <kunci>. Kunci admin ada di <data>/admin.key.',
      en: 'Send Authorization: Bearer <key>. The admin key is in <data>/admin.key.',
    },
  },
  key_expired: {
    class: 'unauthenticated',
    title: { id: 'Masa berlaku kunci sudah habis', en: 'The key has expired' },
    hint: {
      id: 'Minta kunci baru kepada admin unit atau admin hub: simpul key create.',
      en: 'Ask the admin of your unit or of the hub for a new key: simpul key create.',
    },
  },
  forbidden: {
    class: 'forbidden',
    title: { id: 'Tidak berhak', en: 'Not allowed' },
    hint: { id: 'Minta hak kepada admin hub.', en: 'Ask the hub admin for the right.' },
  },
  source_not_yours: {
    class: 'forbidden',
    title: { id: 'Sumber bukan milik kunci ini', en: 'The source is not yours' },
    hint: {
      id: 'source harus urn:simpul:unit:<unit kunci>:<sistem kunci>.',
      en: 'source must be urn:simpul:unit:<unit of the key>:<system of the key>.',
    },
  },
  type_not_yours: {
    class: 'forbidden',
    title: { id: 'Unit ini tidak menerbitkan jenis kejadian itu', en: 'This unit does not publish that event type' },
    hint: { id: 'Lihat penerbit: simpul type get <jenis>.', en: 'See the publishers: simpul type get <type>.' },
  },
  grant_exceeds_rights: {
    class: 'forbidden',
    title: { id: 'Kunci ini tidak boleh mengatur kunci itu', en: 'This key may not manage that key' },
    hint: {
      id: 'Admin unit mengatur kunci publisher, reader dan admin di unitnya dan di bawahnya. Minta kepada admin hub.',
      en: 'An admin of a unit manages keys publisher, reader and admin of its unit and below. Ask an admin of the hub.',
    },
  },
  unit_not_yours: {
    class: 'forbidden',
    title: { id: 'Kejadian ini menyatakan fakta unit lain', en: 'The event states a fact of another unit' },
    hint: {
      id: 'Isi bidang yang ditunjuk dengan unit Anda sendiri; unit lain menyatakan faktanya sendiri. Aturannya: simpul type get <jenis>, actor.',
      en: 'Put your own unit into the field that is pointed at; the other unit states its own facts. The rule: simpul type get <type>, actor.',
    },
  },
  not_found: {
    class: 'not_found',
    title: { id: 'Tidak ditemukan', en: 'Not found' },
    hint: { id: 'Periksa alamatnya, atau hak kunci Anda.', en: 'Check the address, or the rights of your key.' },
  },
  offset_out_of_range: {
    class: 'gone',
    title: { id: 'Posisi sudah tidak disimpan', en: 'Position no longer kept' },
    hint: { id: 'Mulai lagi dari posisi terawal yang disebut.', en: 'Start again from the earliest position named.' },
  },
  stream_recreated: {
    class: 'gone',
    title: { id: 'Aliran dibuat ulang', en: 'The stream was recreated' },
    hint: { id: 'Mulai lagi dari awal.', en: 'Start again from the beginning.' },
  },
  conflict: {
    class: 'conflict',
    title: { id: 'Bertentangan dengan keadaan sekarang', en: 'Conflict with the current state' },
    hint: { id: 'Baca keadaan terbaru, lalu coba lagi.', en: 'Read the newest state, then try again.' },
  },
  version_missing: {
    class: 'conflict',
    title: { id: 'Versi yang diubah belum disebut', en: 'The version that is changed is not named' },
    hint: {
      id: 'Baca dahulu, lalu kirim versinya di kepala If-Match: "3".',
      en: 'Read it first, then send its version in the header If-Match: "3".',
    },
  },
  version_changed: {
    class: 'conflict',
    title: { id: 'Sudah diubah oleh yang lain', en: 'Somebody else has changed it' },
    hint: {
      id: 'Baca versi terbaru, lalu ubah lagi dengan If-Match versi itu.',
      en: 'Read the newest version, then change it again with If-Match of that version.',
    },
  },
  lease_lost: {
    class: 'conflict',
    title: { id: 'Sewa kejadian ini sudah berakhir', en: 'This lease of events is over' },
    hint: {
      id: 'Ambil lagi dengan pull: yang belum di-commit datang lagi. Kejadian yang datang dua kali dikenal dari position.',
      en: 'Pull again: what was not committed comes again. An event that comes twice is known by its position.',
    },
  },
  too_many_subscriptions: {
    class: 'conflict',
    title: { id: 'Langganan unit ini sudah terlalu banyak', en: 'This unit has too many subscriptions' },
    hint: {
      id: 'Paling banyak 100 satu pemilik. Hapus yang tidak dipakai: simpul sub ls, simpul sub rm.',
      en: 'An owner has at most 100. Remove those that are not used: simpul sub ls, simpul sub rm.',
    },
  },
  topic_unsafe: {
    class: 'unusable',
    title: { id: 'Topik Kafka melanggar janji hub', en: 'A Kafka topic breaks a promise of the hub' },
    hint: {
      id: 'Jalankan perintah yang tertulis, atau terima risikonya dengan SIMPUL_KAFKA_ACCEPT.',
      en: 'Run the command that is shown, or accept the risk with SIMPUL_KAFKA_ACCEPT.',
    },
  },
  view_history_missing: {
    class: 'conflict',
    title: { id: 'Riwayat untuk ringkasan tidak lengkap', en: 'The history for this view is not complete' },
    hint: {
      id: 'Aliran sudah menghapus kejadian lama dan tidak ada snapshot yang lengkap. Pakai berkas ringkasan yang lama, atau pulihkan penyimpanan keadaan dari cadangan.',
      en: 'The stream has deleted old events and there is no complete snapshot. Keep the earlier view file, or restore the state store from a backup.',
    },
  },
  snapshot_incomplete: {
    class: 'conflict',
    title: { id: 'Snapshot ringkasan belum lengkap', en: 'A view has no complete snapshot' },
    hint: {
      id: 'Aliran boleh menghapus kejadian hanya bila setiap ringkasannya punya snapshot lengkap: simpul doctor. Atur SIMPUL_SNAPSHOTS.',
      en: 'A stream may delete events only when each of its views has a complete snapshot: simpul doctor. Set SIMPUL_SNAPSHOTS.',
    },
  },
  second_admin_needed: {
    class: 'forbidden',
    title: { id: 'Perlu admin hub kedua', en: 'A second admin of the hub is needed' },
    hint: {
      id: 'Admin hub lain menyetujuinya: simpul key approve <id>.',
      en: 'Another admin of the hub approves it: simpul key approve <id>.',
    },
  },
  wish_closed: {
    class: 'conflict',
    title: { id: 'Permintaan kunci ini sudah selesai', en: 'This wish for a key is closed' },
    hint: {
      id: 'Lihat: simpul key ls. Bila masih perlu, minta kunci baru.',
      en: 'See: simpul key ls. Ask for a new key if it is still needed.',
    },
  },
  last_admin: {
    class: 'conflict',
    title: { id: 'Kunci admin terakhir tidak dapat dicabut', en: 'The last admin key cannot be revoked' },
    hint: { id: 'Buat kunci admin lain dahulu.', en: 'Create another admin key first.' },
  },
  // the content of an event, a schema or a view
  unknown_type: {
    class: 'invalid',
    title: { id: 'Jenis kejadian tidak dikenal', en: 'Unknown event type' },
    hint: { id: 'Lihat daftarnya: simpul type ls.', en: 'See the list: simpul type ls.' },
  },
  unknown_schema: {
    class: 'invalid',
    title: { id: 'Skema tidak dikenal', en: 'Unknown schema' },
    hint: {
      id: 'Lihat versi: GET /v1/event-types/{type}/versions.',
      en: 'See versions: GET /v1/event-types/{type}/versions.',
    },
  },
  schema_mismatch: {
    class: 'invalid',
    title: { id: 'Data tidak sesuai skema', en: 'Data does not match the schema' },
    hint: {
      id: 'Bandingkan dengan contoh: GET /v1/event-types/{type}/sample.',
      en: 'Compare with the sample: GET /v1/event-types/{type}/sample.',
    },
  },
  avro_decode_failed: {
    class: 'undecodable',
    title: { id: 'Data Avro rusak', en: 'Avro data is broken' },
    hint: { id: 'Tulis data dengan skema yang disebut nomornya.', en: 'Write the data with the schema the id names.' },
  },
  avro_limit_exceeded: {
    class: 'undecodable',
    title: { id: 'Data Avro melampaui batas', en: 'Avro data exceeds a limit' },
    hint: { id: 'Paling banyak 100.000 unsur, 64 tingkat.', en: 'At most 100,000 items, 64 levels.' },
  },
  number_out_of_range: {
    class: 'invalid',
    title: { id: 'Angka di luar batas', en: 'Number out of range' },
    hint: { id: 'Kirim angka besar dan desimal sebagai teks.', en: 'Send large numbers and decimals as text.' },
  },
  forbidden_character: {
    class: 'invalid',
    title: { id: 'Karakter terlarang', en: 'Forbidden character' },
    hint: {
      id: 'Hapus NUL, pengganti tunggal, nonkarakter dan tanda arah teks.',
      en: 'Remove NUL, lone surrogates, noncharacters and bidi controls.',
    },
  },
  unit_mismatch: {
    class: 'invalid',
    title: { id: 'Perubahan tidak cocok dengan daftar unit', en: 'The change does not fit the registry of units' },
    hint: {
      id: 'Bandingkan dengan GET /v1/units/{unit} dan induknya; yang baru dibentuk harus tampak di sana dahulu.',
      en: 'Compare with GET /v1/units/{unit} and its parents; what was just founded must show there first.',
    },
  },
  subject_mismatch: {
    class: 'invalid',
    title: { id: 'subject tidak cocok dengan data', en: 'subject does not match the data' },
    hint: {
      id: 'Hilangkan subject; hub menghitungnya dari data.',
      en: 'Leave subject out; the hub computes it from the data.',
    },
  },
  subject_too_long: {
    class: 'invalid',
    title: { id: 'subject terlalu panjang', en: 'subject is too long' },
    hint: { id: 'Paling panjang 512 byte.', en: 'At most 512 bytes.' },
  },
  too_far_ahead: {
    class: 'invalid',
    title: { id: 'Tanggal terlalu jauh di depan', en: 'A date is too far ahead' },
    hint: {
      id: 'Periksa tahun dan jam sistem Anda. Batasnya: simpul type get <jenis>, aheadMinutes.',
      en: 'Check the year and the clock of your system. The limit: simpul type get <type>, aheadMinutes.',
    },
  },
  value_out_of_bounds: {
    class: 'invalid',
    title: { id: 'Nilai di luar batas', en: 'A value is out of bounds' },
    hint: {
      id: 'Periksa nilai bidang yang ditunjuk. Batasnya, min dan max: simpul type get <jenis>.',
      en: 'Check the field that is pointed at. The bounds, min and max: simpul type get <type>.',
    },
  },
  unknown_unit: {
    class: 'invalid',
    title: { id: 'Unit tidak dikenal', en: 'Unknown unit' },
    hint: {
      id: 'Isi bidang yang ditunjuk dengan id unit yang terdaftar: simpul unit ls.',
      en: 'Put the id of a registered unit into the field that is pointed at: simpul unit ls.',
    },
  },
  idempotency_mismatch: {
    class: 'invalid',
    title: { id: 'id ini sudah dipakai untuk isi lain', en: 'This id was used for other content' },
    hint: { id: 'Pakai id baru untuk isi baru.', en: 'Use a new id for new content.' },
  },
  empty_batch: {
    class: 'invalid',
    title: { id: 'Kumpulan kosong', en: 'Empty batch' },
    hint: { id: 'Kirim paling sedikit satu kejadian.', en: 'Send at least one event.' },
  },
  invalid_items: {
    class: 'invalid',
    title: {
      id: 'Ada kejadian yang ditolak; tidak satu pun dicatat',
      en: 'Some events are refused; none was recorded',
    },
    hint: {
      id: 'Perbaiki yang disebut di errors, atau pakai ?partial=true (simpul publish --partial).',
      en: 'Mend those named in errors, or use ?partial=true (simpul publish --partial).',
    },
  },
  partly_recorded: {
    class: 'invalid',
    title: { id: 'Sebagian kejadian tercatat, sebagian ditolak', en: 'Some events were recorded, others are refused' },
    hint: {
      id: 'Lihat results: yang tercatat punya receipt. Perbaiki yang ditolak; mengirim semuanya lagi dengan id yang sama juga aman.',
      en: 'See results: what was recorded has a receipt. Correct what is refused; sending all again with the same ids is safe too.',
    },
  },
  invalid_schema: {
    class: 'invalid',
    title: { id: 'Skema tidak sah', en: 'Invalid schema' },
    hint: { id: 'Lihat errors.', en: 'See errors.' },
  },
  incompatible_schema: {
    class: 'conflict',
    title: {
      id: 'Skema tidak serasi dengan versi sebelumnya',
      en: 'The schema is incompatible with an earlier version',
    },
    hint: { id: 'Tambah bidang hanya dengan nilai bawaan.', en: 'Add fields only with a default.' },
  },
  view_not_folding: {
    class: 'malformed',
    title: { id: 'Ringkasan ini tidak membaca aliran itu', en: 'This view does not fold that stream' },
    hint: { id: 'Lihat aliran: GET /v1/views.', en: 'See its streams: GET /v1/views.' },
  },
  // not at this moment
  not_durable: {
    class: 'unavailable',
    title: { id: 'Belum dapat disimpan dengan aman', en: 'Could not be stored durably in time' },
    hint: {
      id: 'Kirim lagi dengan id yang sama; selalu aman.',
      en: 'Send again with the same id; that is always safe.',
    },
  },
  queue_full: {
    class: 'unavailable',
    title: { id: 'Hub sedang penuh', en: 'The hub is full' },
    hint: { id: 'Kirim lagi setelah waktu di Retry-After.', en: 'Send again after Retry-After.' },
  },
  log_unavailable: {
    class: 'unavailable',
    title: { id: 'Catatan kejadian tidak dapat dicapai', en: 'The event log cannot be reached' },
    hint: { id: 'Coba lagi sebentar lagi.', en: 'Try again shortly.' },
  },
  state_unavailable: {
    class: 'unavailable',
    title: { id: 'Ringkasan keadaan tidak dapat dicapai', en: 'The state store cannot be reached' },
    hint: { id: 'Coba lagi sebentar lagi.', en: 'Try again shortly.' },
  },
  state_untrusted: {
    class: 'unavailable',
    title: {
      id: 'Redis ini tidak boleh dipercaya menyimpan keadaan',
      en: 'This Redis cannot be trusted with the state',
    },
    hint: {
      id: 'Pengelola hub: jalankan redis-cli CONFIG SET maxmemory-policy noeviction pada setiap node, dan arahkan SIMPUL_REDIS ke master.',
      en: 'Hub operator: run redis-cli CONFIG SET maxmemory-policy noeviction on every node, and point SIMPUL_REDIS to the master.',
    },
  },
  view_rebuilding: {
    class: 'unavailable',
    title: { id: 'Ringkasan sedang dibangun ulang', en: 'The view is being rebuilt' },
    hint: { id: 'Coba lagi sebentar lagi; jangan anggap kosong.', en: 'Try again shortly; do not take it as empty.' },
  },
  view_behind: {
    class: 'unavailable',
    title: { id: 'Ringkasan belum sampai posisi itu', en: 'The view has not reached that position' },
    hint: { id: 'Coba lagi, atau perpanjang Prefer: wait.', en: 'Try again, or lengthen Prefer: wait.' },
  },
  not_settled: {
    class: 'unavailable',
    title: { id: 'Kejadian di posisi ini belum diputuskan', en: 'The event at this position is not settled yet' },
    hint: {
      id: 'Kejadiannya ada; hub belum memastikan apakah ini salinan. Coba lagi sebentar lagi.',
      en: 'The event is there; the hub has not decided yet whether it is a copy. Try again shortly.',
    },
  },
  receipts_unavailable: {
    class: 'unavailable',
    title: { id: 'Tanda terima belum dapat diperiksa', en: 'Receipts cannot be checked now' },
    hint: { id: 'Coba lagi sebentar lagi.', en: 'Try again shortly.' },
  },
  not_owner: {
    class: 'malformed',
    title: { id: 'Hub ini tidak menjalankan langganan itu', en: 'This hub does not run that subscription' },
    hint: {
      id: 'Kirim lagi tanpa kepala simpul-forwarded; hub mencari yang menjalankannya.',
      en: 'Send again without the header simpul-forwarded; the hub finds the one that runs it.',
    },
  },
  no_courier: {
    class: 'unavailable',
    title: { id: 'Langganan ini sedang dialihkan', en: 'This subscription is being taken over' },
    hint: {
      id: 'Coba lagi setelah waktu di Retry-After. Sesudah perubahan, lihat dahulu apakah sudah terjadi: simpul sub show.',
      en: 'Try again after Retry-After. After a change, first see whether it was made: simpul sub show.',
    },
  },
  starting: {
    class: 'unavailable',
    title: { id: 'Hub sedang menyala', en: 'The hub is starting' },
    hint: { id: 'Coba lagi dalam beberapa detik.', en: 'Try again in a few seconds.' },
  },
  draining: {
    class: 'unavailable',
    title: { id: 'Hub sedang berhenti', en: 'The hub is stopping' },
    hint: { id: 'Coba lagi sebentar lagi.', en: 'Try again shortly.' },
  },
  too_many_requests: {
    class: 'throttled',
    title: { id: 'Terlalu banyak permintaan', en: 'Too many requests' },
    hint: { id: 'Kirim lagi setelah waktu di Retry-After.', en: 'Send again after Retry-After.' },
  },
  internal: {
    class: 'internal',
    title: { id: 'Kesalahan di dalam hub', en: 'Internal error' },
    hint: {
      id: 'Laporkan nomor instance ini kepada pengelola hub.',
      en: 'Report this instance number to the hub operator.',
    },
  },
  // inside: engines, start, records of a stream
  wrong_partition: {
    class: 'unusable',
    title: { id: 'Partisi tidak ada', en: 'No such partition' },
    hint: {
      id: 'Pengelola hub: topiknya punya lebih sedikit partisi daripada yang tercatat. Tambahkan: kafka-topics.sh --alter --topic TOPIK --partitions JUMLAH.',
      en: 'Hub operator: the topic has fewer partitions than recorded. Add them: kafka-topics.sh --alter --topic TOPIC --partitions COUNT.',
    },
  },
  unknown_topic: {
    class: 'unusable',
    title: { id: 'Aliran tidak ada', en: 'No such topic' },
    hint: {
      id: 'Pengelola hub: pulihkan topiknya dari cadangan, atau mulai ulang hub; hub membuat topik yang hilang, kosong.',
      en: 'Hub operator: restore the topic from a backup, or restart a hub, which makes a missing topic again, empty.',
    },
  },
  fenced: {
    class: 'unusable',
    title: { id: 'Penulis ini sudah digantikan', en: 'This writer was replaced' },
    hint: {
      id: 'Klaim ulang, baca sampai akhir, lalu tulis lagi.',
      en: 'Claim again, read to the end, then write again.',
    },
  },
  record_too_large: {
    class: 'too_large',
    title: { id: 'Rekaman terlalu besar untuk catatan', en: 'Record too large for the log' },
    hint: {
      id: 'Perkecil kejadian ini sampai di bawah limit (byte, dengan kepala rekaman), atau minta admin menaikkan max.message.bytes topiknya.',
      en: 'Make the event smaller than limit (bytes, with the head of its record), or ask the admin to raise max.message.bytes of its topic.',
    },
  },
  disk_full: {
    class: 'unavailable',
    title: { id: 'Diska penuh', en: 'Disk full' },
    hint: { id: 'Kosongkan ruang di diska data.', en: 'Free space on the data disk.' },
  },
  broker_unsupported: {
    class: 'unusable',
    title: {
      id: 'Broker Kafka tidak mengenal permintaan hub',
      en: 'The Kafka broker lacks a request that the hub needs',
    },
    hint: {
      id: 'Pakai Apache Kafka 3.1 atau lebih baru di semua broker.',
      en: 'Use Apache Kafka 3.1 or later on all brokers.',
    },
  },
  invalid_record: {
    class: 'invalid',
    title: { id: 'Rekaman ditolak oleh catatan kejadian', en: 'The event log refuses the record' },
    hint: { id: 'Lihat detail: alasan dari broker.', en: 'See detail: the reason of the broker.' },
  },
  data_locked: {
    class: 'unusable',
    title: { id: 'Map data sedang dipakai proses lain', en: 'The data folder is in use by another process' },
    hint: { id: 'Hentikan proses itu, atau pakai --data lain.', en: 'Stop that process, or use another --data.' },
  },
  data_format: {
    class: 'unusable',
    title: { id: 'Format map data tidak dikenal', en: 'Unknown format of the data folder' },
    hint: { id: 'Pakai versi Simpul yang menulisnya.', en: 'Use the version of Simpul that wrote it.' },
  },
  control_record_unreadable: {
    class: 'unusable',
    title: {
      id: 'Catatan kendali hub tidak dapat dibaca',
      en: 'A control record of the hub cannot be read',
    },
    hint: {
      id: 'Catatan log alarm menyebut topik, kunci dan posisinya. Pulihkan dari cadangan.',
      en: 'The alarm in the log names topic, key and offset. Restore it from a backup.',
    },
  },
  log_incomplete: {
    class: 'unusable',
    title: { id: 'Log di map data tidak utuh', en: 'The log of the data folder is not whole' },
    hint: {
      id: 'Kembalikan berkas yang kurang, atau pulihkan cadangan: simpul restore MAP --replace. Tanpa cadangan: simpul restore --accept-loss.',
      en: 'Put back the missing file, or restore a backup: simpul restore DIR --replace. Without a backup: simpul restore --accept-loss.',
    },
  },
  log_damaged: {
    class: 'unusable',
    title: { id: 'Log di map data rusak', en: 'The log of the data folder is damaged' },
    hint: {
      id: 'Periksa diska, lalu pulihkan cadangan: simpul restore MAP --replace. Yang rusak: simpul verify.',
      en: 'Check the disk, then restore a backup: simpul restore DIR --replace. What is damaged: simpul verify.',
    },
  },
  backup_damaged: {
    class: 'unusable',
    title: { id: 'Ini bukan cadangan yang utuh', en: 'This is not a whole backup' },
    hint: {
      id: 'Pakai cadangan lain. Yang rusak: simpul verify MAP.',
      en: 'Use another backup. What is damaged: simpul verify DIR.',
    },
  },
  target_exists: {
    class: 'unusable',
    title: { id: 'Tempat tujuan sudah terisi', en: 'The target is taken already' },
    hint: {
      id: 'Pilih tempat lain. Hanya simpul restore yang dapat mengganti isi map data: --replace.',
      en: 'Choose another place. Only simpul restore can replace what a data folder holds: --replace.',
    },
  },
  folder_unusable: {
    class: 'unusable',
    title: { id: 'Map tidak dapat dipakai', en: 'The folder cannot be used' },
    hint: {
      id: 'Periksa nama map, haknya dan disknya; map data disebut dengan --data.',
      en: 'Check the name of the folder, its permissions and its disk; --data names the data folder.',
    },
  },
  state_damaged: {
    class: 'unavailable',
    title: { id: 'Berkas keadaan rusak', en: 'The state file is damaged' },
    hint: {
      id: 'Hub menyisihkannya dan melipat ulang dari log. Periksa diska.',
      en: 'The hub sets it aside and folds it again from the log. Check the disk.',
    },
  },
  pseudonym_key_mismatch: {
    class: 'unusable',
    title: {
      id: 'Kunci samaran berbeda dari yang dipakai data ini',
      en: 'The pseudonym key differs from the one this data was made with',
    },
    hint: { id: 'Pulihkan pseudonym.key yang lama.', en: 'Restore the old pseudonym.key.' },
  },
  invalid_settings: {
    class: 'unusable',
    title: { id: 'Pengaturan tidak sah', en: 'Invalid settings' },
    hint: { id: 'Lihat docs/reference/settings.md.', en: 'See docs/reference/settings.md.' },
  },
  missing_tool: {
    class: 'unusable',
    title: { id: 'Alat yang diperlukan tidak ada', en: 'A required tool is missing' },
    hint: { id: 'Pasang alat yang disebut, lalu mulai lagi.', en: 'Install the tool named, then start again.' },
  },
  id_conflict: {
    class: 'corrupt',
    title: { id: 'Satu id dipakai untuk dua isi', en: 'One id was used for two contents' },
    hint: { id: 'Hubungi unit sumber.', en: 'Contact the source unit.' },
  },
  foreign_record: {
    class: 'corrupt',
    title: { id: 'Rekaman asing di aliran', en: 'A foreign record in a stream' },
    hint: { id: 'Hanya gerbang hub yang boleh menulis aliran.', en: 'Only the gateway may write streams.' },
  },
  corrupt_record: {
    class: 'corrupt',
    title: { id: 'Rekaman rusak di aliran', en: 'A corrupt record in a stream' },
    hint: { id: 'Periksa diska dan sidik rekaman.', en: 'Check the disk and the digest of the record.' },
  },
} as const satisfies Record<string, FaultRow>;

/** A stable, snake_case error code. */
export type FaultCode = keyof typeof FAULTS;
