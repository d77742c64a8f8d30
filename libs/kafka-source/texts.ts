import { defineTexts, type Text } from '#faults';
import type { OutOfRange } from './options.js';

/** What a Kafka source tells the person who runs it: what has happened, and what to do. One line each. */
export const texts = defineTexts({
  no_name: {
    id: 'nama {host} tidak dikenal oleh DNS; periksa brokers dan DNS',
    en: 'DNS does not know the name {host}; check brokers, and DNS',
  },
  no_answer: {
    id: 'tidak ada broker yang menjawab di {at} ({said}); periksa brokers dan jaringannya',
    en: 'no broker answers at {at} ({said}); check brokers, and the network',
  },
  closed: {
    id: 'broker di {at} memutus koneksi ({said}); periksa apakah port itu perlu ssl dan sasl',
    en: 'the broker at {at} closes the connection ({said}); check whether the port needs ssl and sasl',
  },
  not_kafka: {
    id: '{said}: program lain menjawab di port itu; periksa brokers',
    en: '{said}: another program answers at that port; check brokers',
  },
  login_refused: {
    id: '{at} menolak login; periksa sasl.username, sasl.password dan sasl.mechanism',
    en: '{at} refuses the login; check sasl.username, sasl.password and sasl.mechanism',
  },
  login_not_asked: {
    id: '{at} tidak meminta login; hapus sasl, atau pakai port yang ber-SASL',
    en: '{at} asks for no login; remove sasl, or use the port with SASL',
  },
  tls_needed: {
    id: '{said}: port itu memakai TLS; isi ssl, dan ssl.ca bila sertifikatnya dari otoritas sendiri',
    en: '{said}: that port speaks TLS; set ssl, and ssl.ca for a private authority',
  },
  tls_refused: {
    id: 'tidak ada TLS di {at} ({said}); hapus ssl, atau pakai port yang ber-TLS',
    en: 'no TLS at {at} ({said}); remove ssl, or use the port with TLS',
  },
  tls_untrusted: {
    id: 'sertifikat broker di {at} tidak dipercaya ({said}); isi ssl.ca dengan otoritas yang menandatanganinya',
    en: 'the certificate of the broker at {at} is not trusted ({said}); set ssl.ca to the authority that signed it',
  },
  no_right: {
    id: 'pengguna Kafka ini tidak punya hak {rights}; minta pengelola Kafka memberikannya (kafka-acls.sh --add)',
    en: 'this Kafka user has no right {rights}; ask the operator of Kafka for it (kafka-acls.sh --add)',
  },
  some_right: {
    id: 'pengguna Kafka ini tidak punya hak atas suatu topik; ia perlu READ dan DESCRIBE atas stream-nya, _schemas dan _simpul.settled',
    en: 'this Kafka user has no right to a topic; it needs READ and DESCRIBE on its streams, on _schemas and on _simpul.settled',
  },
  other_members: {
    id: 'anggota program lain ada di grup {group}; beri aplikasi ini grup sendiri',
    en: 'members of another program are in the group {group}; give this app a group of its own',
  },
  compression: {
    id: '{said}; tidak ada gateway yang menulis begitu: hapus rekaman penulis lain itu',
    en: '{said}; no gateway writes with it: remove the records of the other writer',
  },
  no_topic: {
    id: 'tidak ada topik {topic} yang boleh dilihat pengguna ini; periksa brokers, prefix (SIMPUL_KAFKA_PREFIX milik hub) dan hak pengguna',
    en: 'there is no topic {topic} that this user may see; check brokers, prefix (SIMPUL_KAFKA_PREFIX of the hub) and the rights of the user',
  },
  some_topic: {
    id: 'suatu topik tidak ada; periksa prefix (SIMPUL_KAFKA_PREFIX milik hub)',
    en: 'a topic is not there; check prefix (SIMPUL_KAFKA_PREFIX of the hub)',
  },
  session: {
    id: 'sessionMs di luar group.min.session.timeout.ms dan group.max.session.timeout.ms milik broker',
    en: 'sessionMs is outside group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers',
  },
  unknown_type: {
    id: 'hub tidak punya jenis peristiwa {type}; lihat: simpul type ls',
    en: 'the hub has no event type {type}; see: simpul type ls',
  },
  out_of_range: {
    id: '{feed}: tempat {wanted} tidak ada di log ({why}); log berisi {low} sampai {high}',
    en: '{feed}: place {wanted} is out of range ({why}); the log has {low} to {high}',
  },
  recreated: {
    id: 'topik stream {feed} dibuat ulang: isi topik lama yang belum dibaca sudah hilang, dan tempat grup ini tidak berlaku lagi',
    en: 'the topic of the stream {feed} was made again: what was not read of the old one is gone, and the places of this group mean nothing any more',
  },
  out_of_range_stop: {
    id: "{what}; cari tahu apa yang terlewat, lalu mulai sekali dengan outOfRange: 'earliest'",
    en: "{what}; find out what was missed, then start once with outOfRange: 'earliest'",
  },
  failed: { id: '{said}', en: '{said}' },
  damaged: {
    id: '{position} rusak dan dilewati; minta pengelola hub mencarinya di cadangan (corrupt_record)',
    en: '{position} is damaged and was passed over; ask the operator of the hub for it from a backup (corrupt_record)',
  },
  schema_missing: {
    id: '{position} menunggu skema {schemaId}, yang tidak ada di _schemas; partisinya berhenti di situ. Minta pengelola hub memulihkan _schemas',
    en: '{position} waits for schema {schemaId}, which is not in _schemas; its partition stands there. Ask the operator of the hub to restore _schemas',
  },
  schema_found: { id: 'skema yang ditunggu sudah ada', en: 'the schema that was waited for is there' },
  hub_silent: {
    id: 'peristiwa mulai {position} menunggu hub: tidak ada prosesnya yang menetapkan mana yang salinan. Periksa apakah hub berjalan; tidak ada yang hilang',
    en: 'events from {position} on wait for the hub: none of its processes decides which are copies. See whether the hub runs; nothing is lost',
  },
  hub_back: { id: 'hub menetapkan salinan lagi', en: 'the hub decides about copies again' },
  unreachable: {
    id: 'Kafka belum dapat dibaca, dicoba terus: {what}',
    en: 'Kafka cannot be read, trying on: {what}',
  },
  reachable: { id: 'Kafka dapat dibaca lagi', en: 'Kafka can be read again' },
});

export const rangeText = (found: OutOfRange): Text =>
  found.why === 'recreated' ? texts.recreated({ feed: found.feed }) : texts.out_of_range({ ...found });
