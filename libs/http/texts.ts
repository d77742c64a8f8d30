import { defineTexts } from '#faults';

/** Why a request is refused before it reaches a use case, and what was expected. */
export const texts = defineTexts({
  // parameters, headers, bodies
  see_results: {
    id: 'sebagian dari {all} kejadian baru dapat ditulis setelah pengelola hub bertindak; lihat results',
    en: 'some of {all} events can be written only after the operator of the hub has acted; see results',
  },
  percent_code_broken: {
    id: 'kode persen rusak atau bukan UTF-8',
    en: 'a percent code is broken or no UTF-8',
  },
  given_more_than_once: { id: 'diberikan lebih dari sekali', en: 'given more than once' },
  control_character: {
    id: 'memuat karakter kendali atau bukan UTF-8',
    en: 'holds a control character or is no UTF-8',
  },
  not_json: { id: 'bukan JSON', en: 'not JSON' },
  not_supported: { id: 'tidak didukung', en: 'not supported' },
  unknown_name: { id: 'tidak dikenal di sini', en: 'not known here' },
  missing: { id: 'tidak ada', en: 'missing' },
  wrong_type: { id: 'tipe salah', en: 'wrong type' },
  too_small: { id: 'terlalu kecil', en: 'too small' },
  too_large: { id: 'terlalu besar', en: 'too large' },
  not_an_allowed_value: {
    id: 'bukan salah satu nilai yang diizinkan',
    en: 'not one of the allowed values',
  },
  wrong_form: { id: 'bentuk salah', en: 'wrong form' },
  not_valid: { id: 'tidak sah', en: 'not valid' },
  once: { id: 'sekali', en: 'once' },
  at_least: { id: 'paling sedikit {least}', en: 'at least {least}' },
  at_most: { id: 'paling banyak {most}', en: 'at most {most}' },
  source_form: {
    id: 'urn:simpul:unit:SU…:<sistem>, urn:simpul:party:EXT-…:<sistem> atau urn:simpul:hub:<peran>',
    en: 'urn:simpul:unit:SU…:<system>, urn:simpul:party:EXT-…:<system> or urn:simpul:hub:<role>',
  },
  day: { id: 'tanggal, YYYY-MM-DD', en: 'a day, YYYY-MM-DD' },
  // forms of events
  only_utf8: { id: 'satu-satunya charset adalah UTF-8', en: 'the only charset is UTF-8' },
  not_a_form_of_events: { id: 'bukan bentuk kejadian', en: 'not a form of events' },
  not_a_form_of_data: { id: 'bukan bentuk data kejadian', en: 'not a form of event data' },
  a_list: { id: 'daftar', en: 'a list' },
  not_an_object: { id: 'bukan objek', en: 'not an object' },
  data_is_json: { id: 'data berbentuk JSON', en: 'data is JSON' },
  data_twice: { id: 'data juga ada', en: 'data is there too' },
  not_base64: { id: 'bukan base64', en: 'not base64' },
  not_a_kind_of_avro: { id: 'bukan jenis Avro', en: 'not a kind of Avro' },
  given_twice: { id: 'diberikan dua kali', en: 'given twice' },
  not_an_attribute: { id: 'tidak pada tempatnya di sini', en: 'does not belong here' },
  not_percent_encoded: { id: 'bukan UTF-8 berkode persen', en: 'not percent-encoded UTF-8' },
  batch_content_type: {
    id: 'content-type application/cloudevents-batch+json untuk daftar',
    en: 'content-type application/cloudevents-batch+json for a list',
  },
  json_object: { id: 'objek JSON', en: 'a JSON object' },
  value_or_left_out: { id: '{value}, atau dihilangkan', en: '{value}, or left out' },
  one_of_them: { id: 'salah satunya', en: 'one of them' },
  // places, keys, units
  not_a_time: { id: 'bukan waktu', en: 'not a time' },
  time: {
    id: '2021-07-15T09:30:00+07:00 (dalam alamat, + ditulis %2B)',
    en: '2021-07-15T09:30:00+07:00 (in a URL + is %2B)',
  },
  needs_as_of: { id: 'memerlukan asOf', en: 'needs asOf' },
  as_of_beside_it: { id: 'disertai asOf=YYYY-MM-DD', en: 'asOf=YYYY-MM-DD beside it' },
  no_unit_of_type: { id: 'tidak ada unit berjenis ini', en: 'no unit of this type' },
  unit_type: { id: 'jenis unit, misalnya kanim', en: 'a unit type, e.g. kanim' },
  no_pseudonym: { id: 'bukan samaran', en: 'no pseudonym' },
  pseudonym: { id: '26 dari a-z2-7', en: '26 of a-z2-7' },
  not_part_of_key: { id: 'bukan bagian dari kunci', en: 'not part of the key' },
  not_a_position: { id: 'bukan posisi', en: 'not a position' },
  beside_cursor: { id: 'bersama cursor', en: 'stands beside cursor' },
  not_a_type_of_stream: { id: 'bukan jenis dari aliran ini', en: 'not a type of this stream' },
});
