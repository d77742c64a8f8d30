import { defineTexts } from '#faults';

/** Why a view or a condition of a list is refused, and what was expected. */
export const texts = defineTexts({
  // conditions of a list
  not_a_field_of_view: { id: 'bukan bidang ringkasan ini', en: 'not a field of this view' },
  of_class: { id: 'kelas {class}', en: 'class {class}' },
  unknown_comparison: { id: 'perbandingan tidak dikenal', en: 'unknown comparison' },
  no_order: { id: 'nilai bidang ini tidak berurutan', en: 'the values of this field have no order' },
  not_of_kind: { id: 'bukan nilai bidang ini', en: 'not a value of this field' },
  unknown_unit: { id: 'unit tidak dikenal', en: 'unknown unit' },
  a_number: { id: 'angka, misalnya 12 atau -3.5', en: 'a number, such as 12 or -3.5' },
  a_whole_number: { id: 'bilangan bulat, misalnya 12 atau -3', en: 'a whole number, such as 12 or -3' },
  a_text: { id: 'teks, satu kali', en: 'a text, once' },
  a_time: {
    id: 'waktu RFC 3339 dengan zona, misalnya 2021-07-15T09:30:00+07:00 (tulis + sebagai %2B)',
    en: 'an RFC 3339 time with a zone, such as 2021-07-15T09:30:00+07:00 (write + as %2B)',
  },
  base64: { id: 'base64', en: 'base64' },
  // definitions of views
  no_such_field: { id: '{type} tidak punya bidang {field}', en: '{type} has no field {field}' },
  not_a_symbol: { id: 'bukan simbol enum itu', en: 'not a symbol of the enum' },
  one_of_is_and_is_not: { id: 'salah satu dari is, isNot', en: 'one of is, isNot' },
  field_without_writer: { id: 'tidak ada sumber yang menulis bidang ini', en: 'no source writes this field' },
  only_merge: { id: 'hanya dengan kind merge', en: 'only with kind merge' },
  only_set_or_count: { id: 'hanya dengan kind set atau count', en: 'only with kind set or count' },
  only_removing: { id: 'hanya dengan remove', en: 'only with remove' },
  removing_source_writes: {
    id: 'sumber yang menghapus tidak menulis apa pun',
    en: 'a source that removes writes nothing',
  },
  count_writes: { id: 'count dibuat dari key, count dan sum', en: 'a count is made of key, count and sum' },
  required: { id: 'wajib', en: 'required' },
  different_subjects: { id: 'jenis dengan subject berbeda', en: 'types with different subjects' },
  no_part: { id: 'paling sedikit satu bagian', en: 'at least one part' },
  key_not_sealed: {
    id: '{field} berkelas {class}: kunci tidak pernah disegel',
    en: '{field} is of class {class}: keys are never sealed',
  },
  entry_could_move: {
    id: 'kejadian yang dikoreksi dapat pindah ke kunci lain',
    en: 'a corrected event could move to another key',
  },
  key_needs_one_partition: {
    id: '{kind} dengan kunci selain subject: hanya untuk aliran satu partisi (R5.2)',
    en: '{kind} under another key than the subject: only over a stream of one partition (R5.2)',
  },
  unknown_stream: { id: 'ada aliran yang tidak ada di katalog', en: 'a stream is not in the catalogue' },
  several_streams: {
    id: 'beberapa aliran: hanya dengan kind merge di bawah subject (R5.3)',
    en: 'several streams: only with kind merge under the subject (R5.3)',
  },
  different_partition_counts: {
    id: 'aliran dengan jumlah partisi berbeda (R5.3)',
    en: 'streams of different partition counts (R5.3)',
  },
  written_by_several_streams: {
    id: 'ditulis oleh lebih dari satu aliran (R5.3)',
    en: 'written by more than one stream (R5.3)',
  },
  field_of_another_stream: {
    id: 'bidang dari aliran lain: urutan antaraliran tidak pasti (R5.3)',
    en: 'a field of another stream: the order between streams is open (R5.3)',
  },
  only_latest: { id: 'hanya dengan kind latest', en: 'only with kind latest' },
  required_without_subject: {
    id: 'wajib dengan kunci selain subject',
    en: 'required under another key than the subject',
  },
  only_timeline: { id: 'hanya dengan kind timeline', en: 'only with kind timeline' },
  only_count: { id: 'hanya dengan kind count', en: 'only with kind count' },
  count_under_subject: {
    id: 'count berada di bawah dimensi bernama',
    en: 'a count stands under named dimensions',
  },
  set_without_removal: {
    id: 'set memerlukan jenis yang menghapus',
    en: 'a set needs a type that removes',
  },
  nothing_added: { id: 'tidak ada sumber yang menambah apa pun', en: 'no source adds anything' },
  not_comparable: {
    id: 'bukan bidang {type} yang dapat dibandingkan',
    en: 'not a comparable field of {type}',
  },
  not_summable: {
    id: 'bukan bidang bulat atau desimal dari {type}',
    en: 'not a whole or decimal field of {type}',
  },
  totals_are_open: {
    id: 'kelas {class}: jumlah terbuka bagi setiap pembaca',
    en: 'class {class}: totals are open to every reader',
  },
  totals_of_restricted_type: { id: 'jumlah dari jenis yang dibatasi', en: 'totals of a restricted type' },
  owner_unsaid: {
    id: 'berkas tidak menyebut siapa yang boleh mengubah entri (R5.10)',
    en: 'the file does not say who may change an entry (R5.10)',
  },
  owner_why_unsaid: {
    id: 'berkas tidak menyebut mengapa itu pemiliknya (R5.10)',
    en: 'the file does not say why that is the owner (R5.10)',
  },
  owner_of_source_alone: {
    id: 'satu sumber punya pemilik, jadi ringkasan juga: first atau field:<bidang> (R5.10)',
    en: 'a source has an owner, so the view needs one: first or field:<field> (R5.10)',
  },
  owner_over_streams: {
    id: 'pemilik entri hanya dari satu aliran; sumber dari aliran lain: any-with-right (R5.10)',
    en: 'the owner of an entry comes from one stream; sources of other streams: any-with-right (R5.10)',
  },
  owner_of_removing_count: {
    id: 'count yang menghapus tidak dapat punya pemilik (R5.10)',
    en: 'a count that removes cannot have an owner (R5.10)',
  },
  owner_no_office: {
    id: 'bidang {field} tidak ditulis dari bidang unit atau pihak (R5.10)',
    en: 'the field {field} is not written from a field of a unit or party (R5.10)',
  },
  unknown_event_type: { id: 'jenis kejadian {type} tidak dikenal', en: 'unknown event type {type}' },
  // expectations
  field_of_class_none: { id: 'bidang berkelas none', en: 'a field of class none' },
  class_none: { id: 'kelas none', en: 'class none' },
  one_of: { id: 'salah satu dari {names}', en: 'one of {names}' },
  units_without_snapshot: {
    id: 'tabel unit dibentuk dari aliran ini dan tidak punya snapshot: aliran ini menyimpan semua kejadian',
    en: 'the table of units is folded from this stream and has no snapshot: the stream keeps every event',
  },
  without_snapshot: {
    id: '{view} belum punya snapshot yang lengkap di {missing} dari {partitions} partisi',
    en: '{view} has no complete snapshot in {missing} of {partitions} partitions',
  },
});
