import { defineTexts } from '#faults';

/** Reasons why a change does not fit the registry of units, and what was expected. */
export const texts = defineTexts({
  unknown_unit_type: { id: 'bukan jenis unit', en: 'no kind of unit' },
  unknown_time_zone: { id: 'bukan zona waktu negara ini', en: 'no time zone of the country' },
  region_code_wrong: { id: 'bukan kode wilayah', en: 'no region code' },
  unit_id_wrong: { id: 'bukan id unit', en: 'no id of a unit' },
  not_a_day: { id: 'bukan tanggal', en: 'not a calendar day' },
  ends_before_start: { id: 'sebelum berlakuMulai', en: 'before berlakuMulai' },
  no_day_after: { id: 'tidak ada hari sesudahnya', en: 'has no day after it' },
  unit_exists: { id: 'unit sudah ada pada hari itu', en: 'the unit exists on that day' },
  unknown_unit: { id: 'tidak ada di daftar unit', en: 'not in the registry of units' },
  unit_not_on_day: { id: 'unit tidak ada pada hari itu', en: 'the unit does not exist on that day' },
  ends_before_founding: { id: 'unit akan berakhir sebelum dibentuk', en: 'the unit would end before it began' },
  code_is_id_of_another: { id: 'terbaca sebagai id unit lain', en: 'reads as the id of another unit' },
  code_taken: { id: 'unit lain memakai kode ini pada masa itu', en: 'another unit holds this code then' },
  parent_is_itself: { id: 'unit itu sendiri', en: 'the unit itself' },
  parent_not_on_day: { id: 'tidak ada di daftar unit pada hari itu', en: 'not in the registry of units on that day' },
  parent_below: { id: 'berada di bawah unit itu', en: 'lies below the unit' },
  region_code: { id: '31 atau 31.71', en: '31 or 31.71' },
  unit_id: { id: 'SU dan 5 sampai 9 angka', en: 'SU and 5 to 9 digits' },
  day: { id: 'tanggal YYYY-MM-DD', en: 'a calendar day YYYY-MM-DD' },
  start_or_later_or_no_end: {
    id: 'berlakuMulai atau hari sesudahnya, atau dihilangkan: tanpa akhir',
    en: 'berlakuMulai or a later day, or left out: no end',
  },
  no_end: { id: 'dihilangkan: tanpa akhir', en: 'left out: no end' },
  new_id_or_founding_day: {
    id: 'id baru; atau hari pembentukannya, untuk membetulkannya',
    en: 'a new id; or the day of its founding, to correct it',
  },
  known_unit_or_founding: {
    id: 'unit dari GET /v1/units, atau peristiwa dibentuk',
    en: 'a unit of GET /v1/units, or peristiwa dibentuk',
  },
  day_of_unit_or_founding: {
    id: 'hari saat unit itu ada, atau peristiwa dibentuk',
    en: 'a day of the unit, or peristiwa dibentuk',
  },
  day_after_founding: { id: 'hari sesudah pembentukannya', en: 'a day after its founding' },
  code_or_own_id: { id: 'kode, atau id unit itu', en: 'a code, or the id of the unit' },
  own_or_free_code: { id: 'kode unit itu, atau kode yang bebas', en: 'the code of the unit, or one that is free' },
  unit_above: { id: 'unit di atasnya', en: 'a unit above it' },
  unit_on_start: { id: 'unit yang ada pada berlakuMulai', en: 'a unit that exists on berlakuMulai' },
  unit_not_below: { id: 'unit yang tidak berada di bawahnya', en: 'a unit that is not below it' },
});
