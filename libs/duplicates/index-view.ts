/** Storage name of the duplicate index: its position in each stream partition lies there. */
export const INDEX_VIEW = '~index';
