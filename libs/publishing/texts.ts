import { defineTexts } from '#faults';

/** Why an event is refused, and what was expected. */
export const texts = defineTexts({
  missing: { id: 'tidak ada', en: 'missing' },
  not_text: { id: 'bukan teks', en: 'not text' },
  character_refused: {
    id: 'memuat karakter yang tidak boleh ada di sini',
    en: 'holds a character that may not stand here',
  },
  set_by_hub: { id: 'diisi oleh hub', en: 'is set by the hub' },
  too_many_extensions: { id: 'terlalu banyak ekstensi', en: 'too many extensions' },
  extension_name_wrong: { id: 'bukan nama ekstensi', en: 'not a name of an extension' },
  extension_value_wrong: {
    id: 'bukan teks, bilangan bulat, true atau false',
    en: 'not text, a whole number or true or false',
  },
  too_long_for_views: {
    id: 'terlalu panjang: ringkasan memuat bidang ini',
    en: 'too long: entries of views hold this field',
  },
  too_long: { id: 'terlalu panjang', en: 'too long' },
  no_trace_context: { id: 'bukan trace context', en: 'no trace context' },
  version_not_read: { id: 'bukan versi yang dibaca hub', en: 'not a version that the hub reads' },
  type_name_wrong: { id: 'bukan nama jenis kejadian', en: 'not a name of an event type' },
  not_a_time: { id: 'bukan waktu', en: 'not a time' },
  too_large: { id: 'terlalu besar', en: 'too large' },
  not_in_catalogue: { id: 'tidak ada di katalog', en: 'not in the catalogue' },
  unknown_version: { id: 'bukan versi jenis ini', en: 'no version of this type' },
  unknown_source: { id: 'bukan sumber hub ini', en: 'not a source of this hub' },
  another_subject: {
    id: 'bukan subject yang dihitung dari data',
    en: 'not the subject that the data gives',
  },
  too_large_as_avro: { id: 'terlalu besar sebagai Avro', en: 'too large as Avro' },
  stream_not_open: { id: 'alirannya belum dibuka', en: 'its stream is not open yet' },
  no_confluent_frame: { id: 'bukan bingkai Confluent', en: 'no Confluent frame' },
  too_large_for_log: { id: 'terlalu besar untuk catatan kejadian', en: 'too large for the event log' },
  not_written_operator: {
    id: 'pasti tidak tercatat oleh permintaan ini; hanya pengelola hub dapat memperbaikinya. Simpan kejadian ini dan kirim lagi nanti',
    en: 'surely not written by this request; only the operator of the hub can mend this. Keep the event and send it again later',
  },
  unreadable: { id: 'tidak dapat dibaca', en: 'cannot be read' },
  id_of_other_content: { id: 'sudah dipakai untuk isi lain', en: 'was used for other content' },
  needed_for_subject: { id: 'diperlukan untuk subject', en: 'needed for the subject' },
  character_refused_in_subject: {
    id: 'memuat karakter yang tidak boleh ada dalam subject',
    en: 'holds a character that may not stand in a subject',
  },
  colon_in_subject_part: {
    id: 'bagian subject tidak boleh memuat titik dua',
    en: 'a part of a subject may not hold a colon',
  },
  too_far_ahead: {
    id: 'terlalu jauh di depan: kejadian dengan tanggal ini akan mengalahkan setiap laporan yang benar',
    en: 'too far ahead: an event of this date would win over every true report',
  },
  outside_bounds: { id: 'di luar batas yang ditetapkan kontrak', en: 'outside the bounds of the contract' },
  unit_not_registered: { id: 'tidak ada di daftar unit', en: 'not in the registry of units' },
  // expectations
  at_least: { id: 'paling sedikit {min}', en: 'at least {min}' },
  no_more_than: { id: 'paling banyak {max}', en: 'no more than {max}' },
  between: { id: '{min} sampai {max}', en: '{min} to {max}' },
  not_after: { id: 'paling lambat {latest}', en: 'not after {latest}' },
  id: {
    id: 'teks unik dari sumber ini, 1 sampai 255 karakter',
    en: 'unique text of this source, 1 to 255 characters',
  },
  time: {
    id: 'RFC 3339 dengan zona: 2021-07-15T09:30:00+07:00',
    en: 'RFC 3339 with a zone: 2021-07-15T09:30:00+07:00',
  },
  test_or_not: { id: 'bukan nilai penanda kejadian uji', en: 'no value of the mark of a test event' },
  leave_out: { id: 'hilangkan', en: 'leave it out' },
  left_out: { id: 'dihilangkan', en: 'left out' },
  value_or_left_out: { id: '{value}, atau dihilangkan', en: '{value}, or left out' },
  pseudonym_left_out: {
    id: 'dihilangkan: hub membuat samaran dari {fields}',
    en: 'left out: the hub makes a pseudonym of {fields}',
  },
  at_most: { id: 'paling banyak {most}', en: 'at most {most}' },
  at_most_bytes: { id: 'paling banyak {most} byte', en: 'at most {most} bytes' },
  at_most_bytes_as_record: {
    id: 'paling banyak {most} byte sebagai rekaman, dengan kepalanya',
    en: 'at most {most} bytes as a record, with its head',
  },
  at_most_characters: { id: 'paling banyak {most} karakter', en: 'at most {most} characters' },
  extension_name: { id: '1 sampai {most} dari a-z dan 0-9', en: '1 to {most} of a-z and 0-9' },
  version_of_bare_avro: {
    id: 'versi yang dipakai menulis Avro tanpa bingkai',
    en: 'the version that bare Avro was written with',
  },
  json_object: { id: 'objek JSON', en: 'a JSON object' },
  confluent_frame: { id: '0x00, nomor skema, Avro', en: '0x00, schema id, Avro' },
});
