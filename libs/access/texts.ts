import { defineTexts } from '#faults';

/** Reasons why a key or a publish is refused, and what was expected. */
export const texts = defineTexts({
  unknown_owner: { id: 'tidak ada unit atau pihak seperti itu', en: 'no such unit or party' },
  system_name_wrong: { id: 'bukan nama sistem', en: 'not a name of a system' },
  roles_wrong: { id: 'tidak ada, dua kali, atau tidak dikenal', en: 'none, twice, or unknown' },
  hub_key_may_not_publish: { id: 'kunci hub tidak boleh mengumumkan', en: 'a key of the hub may not publish' },
  source_of_another_key: { id: 'bukan sumber kunci ini', en: 'not the source of this key' },
  no_role_publisher: { id: 'kunci ini tidak berperan publisher', en: 'this key has no role publisher' },
  only_named_unit_may_publish: {
    id: 'hanya unit yang tertulis di sini yang boleh mengumumkan ini',
    en: 'only the unit that stands here may publish this',
  },
  fact_of_another: {
    id: 'unit yang tertulis di sini bukan unit sumber: fakta ini milik unit lain',
    en: 'the unit that stands here is not the source: this is a fact of another unit',
  },
  step_of_another: {
    id: 'langkah ini dinyatakan oleh pihak lain',
    en: 'this step is stated by another office',
  },
  own_or_below: { id: '{owner}, atau unit di bawahnya', en: '{owner}, or a unit below it' },
  unit_is_no_publisher: {
    id: 'unit kunci ini bukan penerbit jenis ini',
    en: 'the unit of this key is no publisher of this type',
  },
  owner_id: { id: 'id SU… dari GET /v1/units, atau EXT-…', en: 'an id SU… of GET /v1/units, or EXT-…' },
  system_name: {
    id: 'a-z, 0-9, . _ -, paling banyak 63, misalnya simkim',
    en: 'a-z, 0-9, . _ -, at most 63, e.g. simkim',
  },
  key_of_unit_or_party: { id: 'kunci milik unit atau pihak', en: 'a key of a unit or party' },
  key_with_role_publisher: { id: 'kunci dengan peran publisher', en: 'a key with the role publisher' },
  outside_tree: {
    id: 'unit ini bukan unit kunci Anda dan tidak di bawahnya',
    en: 'this unit is not the unit of your key, nor below it',
  },
  own_unit_or_below: { id: 'unit kunci Anda atau unit di bawahnya', en: 'the unit of your key, or a unit below it' },
  reads_restricted: {
    id: 'unit ini membaca kejadian terbatas yang tidak boleh dibaca unit lain',
    en: 'this unit reads restricted events that no other unit may read',
  },
  role_of_whole_hub: { id: 'peran ini berlaku untuk seluruh hub', en: 'this role reaches the whole hub' },
  roles_of_unit_admin: {
    id: 'publisher, reader, admin; peran lain diberikan admin hub',
    en: 'publisher, reader, admin; an admin of the hub gives the others',
  },
  changes_units: {
    id: 'kunci publisher unit ini mengubah susunan unit, dan hak mengikuti susunan unit',
    en: 'a publisher key of this unit changes the tree of units, and rights follow that tree',
  },
  ask_hub_admin: { id: 'kunci ini dibuat admin hub', en: 'an admin of the hub makes this key' },
  expiry_wrong: {
    id: 'bukan masa berlaku, sudah lewat, atau terlalu lama',
    en: 'no expiry, in the past, or too late',
  },
  expiry_form: {
    id: '90d, hari YYYY-MM-DD, atau waktu RFC 3339; paling lama {days}d dari sekarang',
    en: '90d, a day YYYY-MM-DD, or an RFC 3339 time; at most {days}d from now',
  },
});
