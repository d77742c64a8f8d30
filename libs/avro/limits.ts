/** Levels of lists and objects in one JSON text. */
export const MAX_JSON_DEPTH = 64;
