import { defineTexts } from '#faults';

/** Texts of the command line. Field names, codes and the help are English in both languages. */
export const texts = defineTexts({
  key_characters: {
    id: 'kunci itu memuat tanda yang tidak ada dalam kunci',
    en: 'the key holds characters that no key has',
  },
  no_view_folds: {
    id: 'tidak ada ringkasan yang dibentuk dari {stream}: kejadian yang dihapus tidak ada lagi di mana pun',
    en: 'no view folds {stream}: what is deleted is nowhere any more',
  },
  one_of: { id: '{given}: {names}', en: '{given}: {names}' },
  no_such_type: {
    id: '{place} tidak punya jenis kejadian {type}; lihat: simpul type ls',
    en: '{place} has no event type {type}; see: simpul type ls',
  },
  no_such_type_near: {
    id: '{place} tidak punya jenis kejadian {type}; mungkin {near}?',
    en: '{place} has no event type {type}; did you mean {near}?',
  },
  no_contracts: {
    id: '{place}: tidak ada berkas .avsc di dalamnya; berikan map kontrak, atau alamat hub: --from http://…',
    en: '{place}: no .avsc file in it; give a folder of contracts, or the address of a hub: --from http://…',
  },
  contracts_unreadable: {
    id: '{place}: {why}; berikan map kontrak yang dapat dibaca, atau alamat hub: --from http://…',
    en: '{place}: {why}; give a folder of contracts that can be read, or the address of a hub: --from http://…',
  },
  not_a_contract: {
    id: '{place}: bukan kontrak jenis kejadian: {why}; perbaiki berkas itu, atau keluarkan dari map',
    en: '{place}: no contract of an event type: {why}; correct the file, or take it out of the folder',
  },
  version_in_two_files: {
    id: '{type} berbeda di {other} dan {file}; hapus salah satu',
    en: '{type} differs in {other} and {file}; remove one of them',
  },
  not_generated: {
    id: '{file} bukan hasil simpul type gen, jadi tidak diganti; pilih map lain: --out',
    en: '{file} was not made by simpul type gen, so it is not replaced; choose another folder: --out',
  },
  out_unwritable: {
    id: '{dir}: {why}; pilih map yang dapat ditulis: --out',
    en: '{dir}: {why}; choose a folder that can be written: --out',
  },
  generated: {
    id: '{count} jenis kejadian di {dir}: {written} berkas ditulis, {removed} dihapus',
    en: '{count} event types in {dir}: {written} files written, {removed} removed',
  },
  recorded: { id: 'tercatat', en: 'recorded' },
  ask_unit: { id: 'Unit', en: 'Unit' },
  ask_language: { id: 'Bahasa proyek: id atau en', en: 'Language of the project: id or en' },
  ask_template: { id: 'plain (Node.js saja) atau nest (NestJS)', en: 'plain (Node.js alone) or nest (NestJS)' },
  folder_not_empty: {
    id: '{dir} tidak kosong; pilih map lain: simpul init <dir>',
    en: '{dir} is not empty; choose another folder: simpul init <dir>',
  },
  no_type_for_unit: {
    id: 'tidak ada jenis kejadian yang boleh dikirim {unit}; sebut satu: --type',
    en: 'there is no event type that {unit} may publish; name one: --type',
  },
  no_tarball: {
    id: '{dir}: tidak ada {name}; buat dengan npm run pack',
    en: '{dir}: no {name}; make it with npm run pack',
  },
  no_registry: {
    id: 'paket @simpul/* tidak ada di registri npm publik: salin tarball dari `npm run pack` (repositori Simpul) ke {dir}, lalu `npm install ./packages/*.tgz`; atau pasang dari registri institusi',
    en: 'the packages @simpul/* are in no public registry of npm: copy the tarballs of `npm run pack` (repository of Simpul) to {dir}, then `npm install ./packages/*.tgz`; or install them from the registry of your institution',
  },
  tested: { id: 'diterima sebagai uji', en: 'accepted as a test' },
  test_mark: { id: 'uji', en: 'test' },
  listening: {
    id: 'mendengarkan {types} jenis kejadian di {streams} aliran; berhenti: Ctrl-C',
    en: 'listening to {types} event types in {streams} streams; stop: Ctrl-C',
  },
  listen_broken: { id: '{stream}: sambungan putus, disambung lagi', en: '{stream}: connection lost, connecting again' },
  listen_again: { id: '{stream}: tersambung lagi', en: '{stream}: connected again' },
  no_findings: { id: 'tidak ada temuan', en: 'nothing was found' },
  watch_silent: {
    id: 'belum mengirim {type} sampai {expected}; laporan terakhir {seen}',
    en: 'sent no {type} by {expected}; its last report was {seen}',
  },
  watch_never: {
    id: 'belum mengirim {type} sampai {expected}, dan belum pernah',
    en: 'sent no {type} by {expected}, and never before',
  },
  watch_gap: {
    id: 'nomor {expected} belum datang; yang tertinggi {seen}',
    en: 'the numbers {expected} have not come; the highest is {seen}',
  },
  watch_skew: {
    id: 'jam sistem menunjukkan {seen} pada {expected}',
    en: 'the clock of the system said {seen} at {expected}',
  },
  watch_storm: {
    id: '{seen} kiriman ulang dalam satu menit; biasanya paling banyak {expected}',
    en: '{seen} resends in one minute; usual are at most {expected}',
  },
  listen_left: {
    id: 'langganan sementara {name} belum terhapus; hub menghapusnya sendiri setelah lima menit',
    en: 'the temporary subscription {name} is not removed yet; the hub removes it by itself after five minutes',
  },
  listen_streams: {
    id: 'tanpa langganan sementara: simpul listen --streams',
    en: 'without a temporary subscription: simpul listen --streams',
  },
  no_test_events: {
    id: 'hub ini tidak mengenal kejadian uji bagi kunci ini (versi lebih lama, atau kunci tanpa hak baca)',
    en: 'this hub knows no test events for this key (an earlier version, or a key that may read nothing)',
  },
  types_unreadable: {
    id: 'kunci ini tidak boleh membaca {types}',
    en: 'this key may not read {types}',
  },
  no_type_matches: { id: 'tidak ada jenis kejadian {types}', en: 'no event type is {types}' },
  unknown_type: { id: 'tidak ada jenis kejadian {type}  → {near}', en: 'there is no event type {type}  → {near}' },
  no_such_field: {
    id: '{pointer}: tidak ada isian ini  → {fields}',
    en: '{pointer}: there is no such field  → {fields}',
  },
  no_members: {
    id: '{pointer}: isian di atasnya tidak punya bagian',
    en: '{pointer}: the field above it has no parts',
  },
  wrong_value: { id: '{pointer}: nilai tidak cocok  → {expected}', en: '{pointer}: wrong value  → {expected}' },
  whole_number: { id: 'bilangan bulat', en: 'a whole number' },
  number: { id: 'bilangan', en: 'a number' },
  editor_failed: {
    id: '{editor} gagal ({why}); pilih editor dengan EDITOR',
    en: '{editor} failed ({why}); choose an editor with EDITOR',
  },
  edit_emptied: { id: 'berkas dikosongkan: tidak ada yang dikirim', en: 'the file was emptied: nothing was sent' },
  edited_kept: { id: 'suntingan Anda disimpan di {file}', en: 'what you edited is kept in {file}' },
  test_key_made: {
    id: 'kunci {id} dibuat untuk uji atas nama {unit} (30 hari); cabut: simpul key revoke {id}',
    en: 'key {id} was made for tests in the name of {unit} (30 days); revoke it: simpul key revoke {id}',
  },
  test_key_pending: {
    id: 'kunci uji untuk {unit} harus disetujui admin kedua: simpul key approve {id}. Atau pilih unit lain: --unit',
    en: 'a test key for {unit} needs the approval of a second admin: simpul key approve {id}. Or choose another unit: --unit',
  },
  key_of_other_unit: {
    id: 'kunci ini milik {unit}, bukan {asked}: pakai kunci unit itu (--key, SIMPUL_KEY, --ctx)',
    en: 'this key is of {unit}, not of {asked}: use a key of that unit (--key, SIMPUL_KEY, --ctx)',
  },
  key_may_not_publish: {
    id: 'kunci {unit} ini tidak punya peran publisher: minta kunci lain (simpul key create {unit} --system uji)',
    en: 'this key of {unit} has no role publisher: ask for another one (simpul key create {unit} --system uji)',
  },
  only_the_hub_publishes: {
    id: 'jenis ini hanya dikirim oleh hub sendiri ({source})',
    en: 'this type is sent by the hub itself alone ({source})',
  },
  real_needs_unit_key: {
    id: 'fakta dikirim dengan kunci unitnya sendiri: export SIMPUL_KEY=$(simpul key create {unit} --system uji)',
    en: 'a fact is sent with a key of its unit: export SIMPUL_KEY=$(simpul key create {unit} --system uji)',
  },
  contexts_unreadable: {
    id: '{file} tidak dapat dibaca ({why}); perbaiki atau hapus berkas itu',
    en: '{file} cannot be read ({why}); mend or delete that file',
  },
  file_unwritable: { id: '{file} tidak dapat ditulis ({why})', en: '{file} cannot be written ({why})' },
  key_file_unreadable: {
    id: 'berkas kunci {file} tidak dapat dibaca ({why})',
    en: 'the key file {file} cannot be read ({why})',
  },
  no_such_context: { id: 'tidak ada hub bernama {name}  → {known}', en: 'there is no hub named {name}  → {known}' },
  context_name: {
    id: '{name}: nama hub terdiri dari huruf, angka, titik, garis; bukan `local`',
    en: '{name}: the name of a hub has letters, digits, dots and dashes; not `local`',
  },
  context_added: {
    id: '{name} → {url}; pakai: simpul ctx use {name}',
    en: '{name} → {url}; use it: simpul ctx use {name}',
  },
  context_used: { id: 'sekarang memakai {name}', en: 'using {name} now' },
  context_removed: { id: '{name} dilupakan', en: '{name} is forgotten' },
  no_context: { id: 'tidak ada hub bernama yang dipakai', en: 'no named hub is in use' },
  key_not_of_hub: {
    id: 'hub di {url} tidak menerima kunci itu; tidak ada yang disimpan',
    en: 'the hub at {url} does not take that key; nothing was stored',
  },
  already_recorded: { id: 'sudah tercatat', en: 'already recorded' },
  exists_already: { id: 'sudah ada', en: 'exists already' },
  key_file_unwritable: {
    id: '{file}: {why}; tidak ada kunci yang dibuat. Pilih berkas lain: --out',
    en: '{file}: {why}; no key was made. Choose another file: --out',
  },
  keys_written: { id: '{count} kunci ditulis ke {file}', en: '{count} keys written to {file}' },
  keep_key: {
    id: 'simpan sekarang; kunci ini hanya terlihat sekali',
    en: 'keep it now; this key is seen only once',
  },
  key_expires: {
    id: 'kunci yang Anda pakai berlaku sampai {at}; minta kunci baru sebelum itu',
    en: 'the key that you use is valid until {at}; ask for a new one before',
  },
  keys_expire_soon: {
    id: '{count} kunci segera habis masa berlakunya: {ids}',
    en: '{count} keys expire soon: {ids}',
  },
  key_valid_until: { id: 'berlaku sampai {at}', en: 'valid until {at}' },
  key_pending: {
    id: 'belum berlaku: admin hub kedua harus menyetujuinya sebelum {until}. simpul key approve {id}',
    en: 'not valid yet: a second admin of the hub must approve it before {until}. simpul key approve {id}',
  },
  key_approved: { id: 'disetujui; kunci sekarang berlaku', en: 'approved; the key is valid now' },
  key_refused: { id: 'ditolak; kunci tidak akan berlaku', en: 'refused; the key will never be valid' },
  key_revoked: {
    id: 'dicabut; berlaku di semua proses dalam 5 detik',
    en: 'revoked; in force on every process within 5 seconds',
  },
  new_admin_key: { id: 'kunci admin baru', en: 'new admin key' },
  hub_silent: { id: 'Hub di {url} tidak menjawab.', en: 'The hub at {url} does not answer.' },
  foreign_answer: {
    id: 'Di {url} bukan hub yang menjawab ({what}). Periksa alamat dan proxy di antaranya.',
    en: 'Something that is not the hub answers at {url} ({what}). Check the address and any proxy on the way.',
  },
  not_text: {
    id: '{file}: byte {at} (baris {line}) bukan {encoding}',
    en: '{file}: byte {at} (line {line}) is not {encoding}',
  },
  utf32: {
    id: '{file}: berkas ini UTF-32; simpan sebagai UTF-8',
    en: '{file}: this file is UTF-32; save it as UTF-8',
  },
  start_hub: { id: 'Nyalakan: simpul up', en: 'Start it: simpul up' },
  or_other_address: { id: 'atau sebut alamatnya: --url', en: 'or name its address: --url' },
  next_step: { id: 'Lanjut', en: 'Next' },
  backup_made: {
    id: '{records} rekaman dan kunci disalin ke {dir}; simpan seperti menyimpan kunci',
    en: '{records} records and the keys were copied to {dir}; keep it as you keep the keys',
  },
  backup_without_pseudonym_key: {
    id: 'pseudonym.key tidak ada di map data (SIMPUL_PSEUDONYM_KEY_FILE?), jadi tidak ikut disalin; simpan sendiri',
    en: 'pseudonym.key is not in the data folder (SIMPUL_PSEUDONYM_KEY_FILE?), so it was not copied; keep it yourself',
  },
  restored: {
    id: '{records} rekaman dari {from} dipulihkan ke {dir}; keadaan dilipat ulang saat hub mulai',
    en: '{records} records of {from} were restored into {dir}; state is folded again when the hub starts',
  },
  replaced_kept: {
    id: 'isi sebelumnya disimpan di {dir}; hapus bila sudah yakin',
    en: 'what was there before is kept in {dir}; delete it when you are sure',
  },
  loss_accepted: {
    id: 'log di {dir} diterima seperti adanya: {records} rekaman; keadaan dilipat ulang saat hub mulai',
    en: 'the log in {dir} is accepted as it is: {records} records; state is folded again when the hub starts',
  },
  damaged_at: { id: 'rusak: {place}', en: 'damaged: {place}' },
  file_changed: {
    id: '{name} tidak sama dengan yang dicadangkan',
    en: '{name} is not as it was when the backup was made',
  },
  restore_not_ended: {
    id: 'pemulihan ke map ini belum selesai; jalankan lagi',
    en: 'a restore into this folder has not ended; run it again',
  },
  other_log: {
    id: 'log.mark milik log lain daripada log.sqlite',
    en: 'log.mark is of another log than log.sqlite',
  },
  records_missing: {
    id: '{count} rekaman yang sudah dijawab tercatat tidak ada di log',
    en: '{count} records that were acknowledged are not in the log',
  },
  unchecked: {
    id: '{count} rekaman ditulis sebelum ada jumlah periksa: kunci dan isinya cocok dengan sidiknya bila ada, header lain tidak diperiksa; hub yang berjalan menambahkan jumlah periksanya',
    en: '{count} records were written before there were checksums: key and value fit their digest where there is one, other headers are not checked; a running hub adds the checksums',
  },
  checked_as_data: {
    id: '{dir}: tidak ada backup.json, jadi diperiksa sebagai map data; cadangan tanpa berkas itu tidak dapat dipulihkan',
    en: '{dir}: no backup.json, so it was checked as a data folder; a backup without that file cannot be restored',
  },
  log_whole: { id: 'log utuh: {records} rekaman', en: 'the log is whole: {records} records' },
  log_not_checked: {
    id: 'tidak ada yang rusak, tetapi {unchecked} dari {records} rekaman tidak diperiksa seluruhnya',
    en: 'nothing is damaged, but {unchecked} of {records} records are not fully checked',
  },
  log_not_whole: { id: 'log tidak utuh', en: 'the log is not whole' },
  // subscriptions
  no_such_subscription: {
    id: 'tidak ada langganan {name} yang boleh Anda lihat; lihat: simpul sub ls',
    en: 'there is no subscription {name} that you may see; see: simpul sub ls',
  },
  several_subscriptions: {
    id: 'beberapa unit punya langganan {name}; sebut id-nya: {ids}',
    en: 'several units have a subscription {name}; name its id: {ids}',
  },
  no_subscriptions: {
    id: 'belum ada langganan; buat: simpul sub create <nama> --types <jenis> --to <alamat>',
    en: 'no subscriptions yet; make one: simpul sub create <name> --types <types> --to <address>',
  },
  some_are_dead: {
    id: 'ada kejadian yang tidak sampai; lihat: simpul dlq ls <langganan>',
    en: 'some events could not be delivered; see: simpul dlq ls <subscription>',
  },
  not_json_object: { id: '{option}: harus objek JSON', en: '{option}: must be a JSON object' },
  nothing_to_change: {
    id: 'tidak ada yang diubah; sebut --types, --filter, --to atau pilihan lain: simpul sub edit --help',
    en: 'nothing to change; give --types, --filter, --to or another option: simpul sub edit --help',
  },
  nothing_done: { id: 'hanya dihitung, belum dilakukan', en: 'only counted, nothing done' },
  keep_secret: { id: 'simpan rahasia ini; tidak ditampilkan lagi', en: 'keep this secret; it is not shown again' },
  verify_with: {
    id: 'penerima memeriksa tanda tangan dengan kunci publik ini; ia bukan rahasia, dan tampil lagi di simpul sub show',
    en: 'receivers verify with this public key; it is no secret, and simpul sub show shows it again',
  },
  public_key_rotated: {
    id: 'penerima memeriksa tanda tangan dengan kunci publik ini; yang lama masih berlaku sampai {until}',
    en: 'receivers verify with this public key; the old one is valid until {until}',
  },
  secret_rotated: {
    id: 'simpan rahasia ini; yang lama masih berlaku sampai {until}',
    en: 'keep this secret; the old one is valid until {until}',
  },
  sub_paused: { id: 'lanjutkan: simpul sub resume {name}', en: 'go on: simpul sub resume {name}' },
  sub_resumed: { id: 'lihat: simpul sub lag {name}', en: 'see: simpul sub lag {name}' },
  seek_counts: {
    id: '{again} kejadian dikirim lagi, {passed} yang belum terkirim dilewati',
    en: '{again} events are delivered again, {passed} that were not delivered are passed over',
  },
  seek_least: { id: 'sedikitnya: belum semua dihitung', en: 'at least: not everything was counted' },
  seek_stays: {
    id: '{count} kejadian terparkir, tak sampai atau tertahan tetap di sana; lihat: simpul dlq ls {name} --parked',
    en: '{count} parked, dead or held events stay where they are; see: simpul dlq ls {name} --parked',
  },
  sub_changed: { id: 'sudah diubah, versi {version}', en: 'changed, version {version}' },
  sub_removed: { id: 'sudah dihapus', en: 'removed' },
  no_such_letter: {
    id: '{name} tidak punya kejadian tak sampai atau terparkir {id}; lihat: simpul dlq ls {name}',
    en: '{name} has no dead letter and no parked event {id}; see: simpul dlq ls {name}',
  },
  redrive_or_skip: {
    id: 'kirim lagi: simpul dlq redrive {name} <id> --why "…"; lewati: simpul dlq skip {name} <id> --why "…"',
    en: 'deliver again: simpul dlq redrive {name} <id> --why "…"; skip: simpul dlq skip {name} <id> --why "…"',
  },
  redrive_what: {
    id: 'sebut tepat satu: id, saringan (--subject, --cause, --before), atau --all',
    en: 'name exactly one: ids, a filter (--subject, --cause, --before), or --all',
  },
  redriven: {
    id: '{count} kejadian dikirim lagi, pekerjaan {job}; lihat: simpul dlq jobs {name}',
    en: '{count} events are delivered again, job {job}; see: simpul dlq jobs {name}',
  },
  ids_unknown: {
    id: 'tidak ada kejadian tak sampai dengan id: {ids}',
    en: 'no parked or dead event has the id: {ids}',
  },
  redrive_state: {
    id: 'terkirim {done}, gagal {failed}, sisa {left}',
    en: 'delivered {done}, failed {failed}, left {left}',
  },
  skipped: { id: '{count} kejadian dilewati', en: '{count} events skipped' },
  readers_incomplete: {
    id: 'belum semua proses menjawab: mungkin ada pembaca lain; coba lagi',
    en: 'not every process has answered: there may be more readers; try again',
  },
});
