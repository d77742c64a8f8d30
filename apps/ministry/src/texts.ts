import { defineTexts } from '#faults';

/** Texts of the command line of the ministry. The usage line and the names of options are the same in both languages. */
export const texts = defineTexts({
  number_above_0: { id: '{option}: harus angka di atas 0', en: '{option}: a number above 0' },
});
