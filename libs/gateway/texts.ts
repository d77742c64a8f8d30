import { defineTexts } from '#faults';

/** Why a refused event is not accepted, and what to do. */
export const texts = defineTexts({
  steward_may_not_state: {
    id: 'kontrak {type} tidak mengizinkan steward menyatakannya: pemilik jenis menambah hub:steward pada publishers, atau unit pemilik entri menyatakan ulang sendiri',
    en: 'the contract of {type} lets no steward state it: the owner of the type adds hub:steward to its publishers, or the office that has the entry states the change itself',
  },
  not_refused: {
    id: 'tidak ada ringkasan yang menolak kejadian ini',
    en: 'no view has refused this event',
  },
});
