import { defineTexts } from '#faults';

/** Why a setting is not accepted. What is expected of one is written in the table of the settings, in English only: it is the reference page. */
export const texts = defineTexts({
  no_such_setting: { id: 'tidak ada pengaturan seperti itu', en: 'no such setting' },
  needed_with_kafka: { id: 'diperlukan dengan SIMPUL_ENGINE=kafka', en: 'needed with SIMPUL_ENGINE=kafka' },
  no_certificate: { id: '{file} tidak memuat sertifikat', en: '{file} holds no certificate' },
  file_unreadable: { id: '{file} tidak dapat dibaca ({code})', en: '{file} cannot be read ({code})' },
  no_broker: { id: 'tidak ada alamat di dalamnya', en: 'names no broker' },
  broker_with_scheme: {
    id: '{entry}: tulis tanpa skema; TLS dinyalakan dengan SIMPUL_KAFKA_CA',
    en: '{entry}: write it without a scheme; SIMPUL_KAFKA_CA switches TLS on',
  },
  broker_without_port: { id: '{entry}: port tidak ada atau bukan 1–65535', en: '{entry}: no port, or not 1 to 65535' },
  broker_ipv6: {
    id: '{entry}: tulis alamat IPv6 sebagai [::1]:9092',
    en: '{entry}: write an IPv6 address as [::1]:9092',
  },
  broker_host: { id: '{entry}: bukan nama host atau alamat', en: '{entry}: not a host name or address' },
  pem_file: { id: 'file PEM', en: 'a PEM file' },
  less_than_default: { id: 'kurang dari SIMPUL_KEY_DAYS ({days})', en: 'less than SIMPUL_KEY_DAYS ({days})' },
});
