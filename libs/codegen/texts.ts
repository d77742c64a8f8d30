import { defineTexts } from '#faults';

export const texts = defineTexts({
  not_a_type_name: {
    id: 'bukan nama jenis kejadian dengan tiga bagian, seperti imigrasi.paspor.diterbitkan',
    en: 'not the name of an event type in three parts, such as imigrasi.paspor.diterbitkan',
  },
  version_twice: {
    id: '{type} versi {version} ada dua kali',
    en: '{type} version {version} is there twice',
  },
});
