import { defineTexts } from '#faults';

/** Why a schema is not registered. */
export const texts = defineTexts({
  belongs_elsewhere: { id: 'milik subjek lain', en: 'belongs under another subject' },
  against_version: { id: '{reason} (versi {version})', en: '{reason} (version {version})' },
});
