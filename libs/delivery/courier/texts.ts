import { defineTexts } from '#faults';

/** Reasons why a change of a subscription is refused at its owner. */
export const texts = defineTexts({
  name_taken: { id: 'nama ini sudah dipakai langganan lain', en: 'another subscription has this name' },
  name_free: {
    id: 'nama lain, atau ubah yang ada: simpul sub edit {name}',
    en: 'another name, or change the one there: simpul sub edit {name}',
  },
});
