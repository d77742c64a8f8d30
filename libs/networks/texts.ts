import { defineTexts } from '#faults';

export const texts = defineTexts({
  not_a_network: {
    id: '{entry}: bukan alamat IP atau jaringan CIDR',
    en: '{entry}: not an IP address or a network in CIDR form',
  },
  not_a_unit: {
    id: '{entry}: di depan tanda = harus ada id satker (SU…) atau pihak luar (EXT-…)',
    en: '{entry}: in front of the sign = stands the id of a unit (SU…) or of an external party (EXT-…)',
  },
  network_for_all_behind: {
    id: '{entry}: jaringan untuk semua harus di depan jaringan satker; untuk satker itu tulis juga id-nya di depan',
    en: '{entry}: networks for all stand in front of those of units; for that unit, write its id in front here too',
  },
  network_cut: {
    id: '{entry}: alamat bukan awal jaringan; tulis {network}',
    en: '{entry}: the address is not the first of the network; write {network}',
  },
  network_too_wide: {
    id: '{entry}: terlalu luas; paling luas /8 (IPv4) atau /7 (IPv6)',
    en: '{entry}: too wide; the widest is /8 (IPv4) or /7 (IPv6)',
  },
});
