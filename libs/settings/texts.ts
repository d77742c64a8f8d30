import { defineTexts } from '#faults';

/** Why a setting is not accepted. What is expected of one is written in the table of the settings, in English only: it is the reference page. */
export const texts = defineTexts({
  no_such_setting: { id: 'tidak ada pengaturan seperti itu', en: 'no such setting' },
  needed_with_kafka: { id: 'diperlukan dengan SIMPUL_ENGINE=kafka', en: 'needed with SIMPUL_ENGINE=kafka' },
  no_certificate: { id: '{file} tidak memuat sertifikat', en: '{file} holds no certificate' },
  file_unreadable: { id: '{file} tidak dapat dibaca ({code})', en: '{file} cannot be read ({code})' },
  pem_file: { id: 'file PEM', en: 'a PEM file' },
});
