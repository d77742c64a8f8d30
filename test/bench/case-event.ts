import { sourceUrn } from '#event';

export const CASE_TYPE = 'layanan.kasus.status-berubah';
export const CASE_FILE = 'schemas/layanan/kasus/status-berubah.v1.avsc';
export const CASE_STREAM = 'layanan.kasus';
export const CASE_VIEW = 'layanan.kasus-papan';
export const UNIT = 'SU00099';
export const SYSTEM = 'bench';

const head = JSON.stringify({ specversion: '1.0', source: sourceUrn(UNIT, SYSTEM), type: CASE_TYPE }).slice(1, -1);
const tail = JSON.stringify({
  jenisLayanan: 'IMI-IZIN-TINGGAL',
  unitPemegang: UNIT,
  unitSebelumnya: 'SU00381',
  statusLama: 'menunggu_unit_lain',
  statusBaru: 'diproses',
  alasanKode: 'berkas lengkap, diteruskan kepada pemeriksa',
  jamSla: 'jalan',
  sisaJamKerja: 17.75,
  tenggat: '2021-08-18T03:43:53.000Z',
  dasarTenggat: 'Permenkumham tentang standar layanan izin tinggal keimigrasian, lampiran II nomor 7, edisi 2021',
  kalender: 'kalender kerja kantor imigrasi, zona WIB, lima hari kerja, cuti bersama 2021',
  pemohonRef: 'psn-5f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70',
  petugas: 'nip-cbdfa1cd-0fc9-4e1b-9a37-2b6d1c0f9e55',
  luring: false,
  waktuKejadian: '2021-07-07T01:42:44.000Z',
  waktuTerkirim: '2021-07-07T01:42:46.000Z',
}).slice(1);

export const caseNumber = (run: string, n: number): string => `${run}-2021-${n}`;

/** An event of about 1 KB as its publisher sends it, with its own id, and its own subject unless it is given. */
export function caseEvent(run: string, n: number, subject = n): string {
  return `{${head},"id":"${run}-${n}","time":"2021-07-07T01:42:44.000Z","data":{"nomorKasus":"${caseNumber(run, subject)}",${tail}}`;
}
