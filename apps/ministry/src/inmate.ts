import { PenghuniDiterima } from '#event-types';
import type { Random } from './random.js';
import type { DayClock } from './clock.js';
import { outgoing, type Office, type OutgoingEvent } from './office.js';
import { document, type Person } from './people.js';

/** A prison admits a sentenced person: the event `pas.penghuni.diterima`. */
export function admitted(
  clock: DayClock,
  rng: Random,
  prison: Office,
  who: Person,
  orang: string,
  register: string,
): OutgoingEvent {
  return outgoing(PenghuniDiterima, {
    orderingKey: orang,
    data: {
      nomorRegister: register,
      idOrang: orang,
      unitPenerima: prison.owner,
      golongan: 'BI',
      statusHukum: 'narapidana',
      instansiPenahan: 'EXT-KEJAGUNG',
      nomorSuratPerintah: `PRINT-${rng.int(100, 999)}/2021`,
      tanggalSurat: clock.day(-2),
      penahananMulai: clock.day(-200),
      penahananBerakhir: clock.day(rng.int(100, 1500)),
      pasalDisangkakan: ['Pasal 362 KUHP'],
      jenisPerkara: rng.pick(['umum', 'narkotika']),
      ...(who.kewarganegaraan === 'IDN' ? { nik: who.nik } : {}),
      namaLengkap: who.nama,
      tempatLahir: who.tempatLahir,
      tanggalLahir: who.tanggalLahir,
      jenisKelamin: who.jenisKelamin,
      agama: who.agama,
      kewarganegaraan: who.kewarganegaraan,
      foto: document(rng, 'foto'),
      waktuTerima: clock.iso(),
    },
  });
}
