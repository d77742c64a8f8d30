import type { Chance } from './chance.js';
import type { DayClock } from './clock.js';
import type { Office, Told } from './office.js';
import { document, type Person } from './people.js';

/** `pas.penghuni.diterima` of a sentenced person. */
export function admitted(
  clock: DayClock,
  c: Chance,
  prison: Office,
  who: Person,
  orang: string,
  register: string,
): Told {
  return {
    type: 'pas.penghuni.diterima',
    lane: orang,
    data: {
      nomorRegister: register,
      idOrang: orang,
      unitPenerima: prison.owner,
      golongan: 'BI',
      statusHukum: 'narapidana',
      instansiPenahan: 'EXT-KEJAGUNG',
      nomorSuratPerintah: `PRINT-${c.int(100, 999)}/2021`,
      tanggalSurat: clock.day(-2),
      penahananMulai: clock.day(-200),
      penahananBerakhir: clock.day(c.int(100, 1500)),
      pasalDisangkakan: ['Pasal 362 KUHP'],
      jenisPerkara: c.pick(['umum', 'narkotika']),
      ...(who.kewarganegaraan === 'IDN' ? { nik: who.nik } : {}),
      namaLengkap: who.nama,
      tempatLahir: who.tempatLahir,
      tanggalLahir: who.tanggalLahir,
      jenisKelamin: who.jenisKelamin,
      agama: who.agama,
      kewarganegaraan: who.kewarganegaraan,
      foto: document(c, 'foto'),
      waktuTerima: clock.iso(),
    },
  };
}
