import { defineTexts } from '#faults';

/** Texts of the command line. Field names, codes and the help are English in both languages. */
export const texts = defineTexts({
  key_characters: {
    id: 'kunci itu memuat tanda yang tidak ada dalam kunci',
    en: 'the key holds characters that no key has',
  },
  recorded: { id: 'tercatat', en: 'recorded' },
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
  key_revoked: {
    id: 'dicabut; berlaku di semua proses dalam 5 detik',
    en: 'revoked; in force on every process within 5 seconds',
  },
  new_admin_key: { id: 'kunci admin baru', en: 'new admin key' },
  hub_silent: { id: 'Hub di {url} tidak menjawab.', en: 'The hub at {url} does not answer.' },
  start_hub: { id: 'Nyalakan: npm start', en: 'Start it: npm start' },
  or_other_address: { id: 'atau sebut alamatnya: --url', en: 'or name its address: --url' },
  next_step: { id: 'Lanjut', en: 'Next' },
});
