/** Data of `pas.hunian.dilaporkan`: the daily report of a prison, which differs by the number of detainees. */
export function occupancy(unit: string, date: string, detainees: number, reportedAt: string): Record<string, unknown> {
  return {
    unit,
    tanggal: date,
    kapasitas: 300,
    jumlahTahanan: detainees,
    jumlahNarapidana: 200,
    jumlahAnak: 0,
    perempuan: 1,
    warganegaraAsing: 0,
    masukHariIni: 0,
    keluarHariIni: 0,
    pindahMasuk: 0,
    pindahKeluar: 0,
    melewatiMasaPenahanan: 0,
    waktuLaporan: reportedAt,
  };
}
