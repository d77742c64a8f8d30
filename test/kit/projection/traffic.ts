import type { NewRecord } from '#log';
import type { CatalogueIndex } from '#registry';
import { random } from '../random.js';
import { recordOf, type EventSpec } from './events.js';

export interface Placed {
  readonly stream: string;
  readonly partition: number;
  readonly record: NewRecord;
}

const STATUS = ['diajukan', 'kelengkapan', 'diproses', 'diputuskan', 'selesai'];

function specOf(i: number, pick: (n: number) => number): EventSpec {
  const unit = `SU00${200 + pick(6)}`;
  const source = `urn:simpul:unit:${unit}:uji`;
  const common = { id: `t-${i}`, source, seed: 1 + pick(50) };
  switch (pick(6)) {
    case 0:
      return {
        ...common,
        type: 'pas.hunian.dilaporkan',
        unitkode: `LAPAS-${pick(2) ? '64' : '65'}-UJI`,
        data: { unit, tanggal: `2021-07-${10 + pick(4)}`, kapasitas: 100 + pick(900), petugasJaga: null },
      };
    case 1:
      return {
        ...common,
        type: 'imigrasi.cegah.ditetapkan',
        data: { nomorCekal: `C-${pick(30)}`, versiDaftar: i, jenis: pick(4) ? 'cegah' : 'tangkal' },
      };
    case 2:
      return { ...common, type: 'imigrasi.cegah.berakhir', data: { nomorCekal: `C-${pick(30)}`, versiDaftar: i } };
    case 3:
      return { ...common, type: 'layanan.tenggat.terancam', data: { nomorKasus: `K-${pick(60)}` } };
    default:
      return {
        ...common,
        type: 'layanan.kasus.status-berubah',
        data: { nomorKasus: `K-${pick(60)}`, unitPemegang: unit, statusBaru: STATUS[pick(5)]!, statusLama: null },
      };
  }
}

/** Events of four streams, with copies of earlier ones and foreign records among them. Fixed by the seed. */
export function traffic(catalogue: CatalogueIndex, seed: number, count: number): Placed[] {
  const next = random(seed);
  const pick = (n: number): number => Math.floor(next() * n);
  const out: Placed[] = [];
  for (let i = 0; i < count; i++) {
    const roll = next();
    if (roll < 0.08 && out.length > 0) out.push(out[Math.max(0, out.length - 1 - pick(40))]!);
    else if (roll < 0.1) {
      const placed = recordOf(catalogue, specOf(i, pick));
      out.push({ ...placed, record: { ...placed.record, headers: [] } });
    } else out.push(recordOf(catalogue, specOf(i, pick)));
  }
  return out;
}

export const TRAFFIC_VIEWS = [
  'imigrasi.cegah-aktif',
  'imigrasi.cegah-versi',
  'pas.hunian-unit',
  'pas.hunian-kanwil',
  'layanan.kasus-papan',
  'layanan.kasus-jumlah',
] as const;
