import { defineTexts } from '#faults';

/** Reasons why a subscription is refused, and what was expected. */
export const texts = defineTexts({
  missing: { id: 'tidak ada', en: 'missing' },
  not_a_list: { id: 'bukan daftar', en: 'not a list' },
  not_an_object: { id: 'bukan objek', en: 'not an object' },
  not_true_or_false: { id: 'bukan true atau false', en: 'neither true nor false' },
  unknown_member: { id: 'anggota ini tidak dikenal', en: 'this member is not known' },
  name_wrong: { id: 'bukan nama langganan', en: 'not a name of a subscription' },
  name_form: {
    id: 'a-z, 0-9, -, diawali huruf atau angka, paling banyak 63, misalnya payroll',
    en: 'a-z, 0-9, -, a letter or digit first, at most 63, e.g. payroll',
  },
  no_types: { id: 'tidak ada jenis kejadian', en: 'no event type' },
  too_many_types: { id: 'terlalu banyak', en: 'too many' },
  at_most: { id: 'paling banyak {most}', en: 'at most {most}' },
  pattern_wrong: { id: 'bukan jenis kejadian', en: 'not an event type' },
  pattern_form: {
    id: 'sdm.presensi.tercatat, sdm.*.tercatat (* satu bagian) atau sdm.# (# semua bagian sesudahnya, hanya di akhir)',
    en: 'sdm.presensi.tercatat, sdm.*.tercatat (* is one segment) or sdm.# (# is all further ones, only at the end)',
  },
  type_unknown: { id: 'tidak ada jenis kejadian seperti itu', en: 'no such event type' },
  types_of_catalogue: { id: 'jenis dari GET /v1/event-types', en: 'a type of GET /v1/event-types' },
  dialect_wrong: {
    id: 'bukan tepat satu syarat yang dikenal',
    en: 'not exactly one condition that is known',
  },
  dialects: {
    id: 'salah satu dari exact, prefix, suffix, all, any, not',
    en: 'one of exact, prefix, suffix, all, any, not',
  },
  too_deep: { id: 'syarat bertingkat terlalu dalam', en: 'conditions are nested too deeply' },
  levels: { id: 'paling banyak {most} tingkat', en: 'at most {most} levels' },
  too_many_conditions: { id: 'terlalu banyak syarat', en: 'too many conditions' },
  conditions: { id: 'paling banyak {most} syarat di semua filter', en: 'at most {most} conditions in all filters' },
  empty_list: { id: 'daftar kosong', en: 'an empty list' },
  one_condition: { id: 'sedikitnya satu syarat', en: 'at least one condition' },
  empty_object: { id: 'tidak ada syarat di dalamnya', en: 'no condition in it' },
  name_of_nothing: { id: 'bukan atribut atau isian data', en: 'no attribute and no field of the data' },
  names: {
    id: 'atribut seperti source, ekstensi seperti unitasal, data.isian atau data.isian.isian',
    en: 'an attribute such as source, an extension such as unitasal, data.field or data.field.field',
  },
  value_wrong: { id: 'kosong, terlalu panjang, atau bukan teks', en: 'empty, too long, or not a text' },
  value_form: { id: 'teks 1 sampai {most} byte UTF-8', en: 'a text of 1 to {most} bytes of UTF-8' },
  no_units_chosen: { id: 'tidak memilih unit', en: 'chooses no units' },
  units_form: {
    id: 'sedikitnya satu dari function, province, below',
    en: 'at least one of function, province, below',
  },
  function_unknown: { id: 'tidak ada unit dengan fungsi ini', en: 'no unit has this function' },
  functions: { id: 'jenis unit dari GET /v1/units, misalnya kanim', en: 'a type of unit of GET /v1/units, e.g. kanim' },
  province_unknown: { id: 'tidak ada unit di provinsi ini', en: 'no unit is in this province' },
  provinces: { id: 'kode provinsi Kemendagri dua angka, misalnya 64', en: 'two-digit Kemendagri code, e.g. 64' },
  unit_unknown: { id: 'tidak ada unit seperti itu', en: 'no such unit' },
  unit_ids: {
    id: 'id SU… dari GET /v1/units; self: unit sendiri; self:kanwil: kanwil di atasnya',
    en: 'an id SU… of GET /v1/units; self: your own unit; self:kanwil: the kanwil above it',
  },
  start_wrong: { id: 'bukan tempat untuk mulai', en: 'not a place to begin' },
  start_elsewhere: {
    id: 'posisi dari aliran yang tidak dibaca langganan ini',
    en: 'a position of a stream that this subscription does not read',
  },
  starts: {
    id: 'now, earliest, waktu RFC 3339, atau posisi aliran/partisi/offset',
    en: 'now, earliest, an RFC 3339 time, or a position stream/partition/offset',
  },
  temporary_not_live: {
    id: 'langganan sementara hanya untuk pembaca dengan sambungan terbuka',
    en: 'only a subscription of a reader with an open connection may be temporary',
  },
  target_unknown: { id: 'bukan tujuan yang dikenal', en: 'not a target that is known' },
  url_wrong: { id: 'bukan alamat, atau terlalu panjang', en: 'not an address, or too long' },
  url_form: { id: 'https://…, paling banyak {most} karakter', en: 'https://…, at most {most} characters' },
  value_unknown: { id: 'nilai ini tidak dikenal', en: 'this value is not known' },
});
