/** Whether this text is a pseudonym: 26 characters of base32. Anything else could be the clear identifier of a person, which must not be in a URL (R11). */
export function isPseudonym(text: string): boolean {
  return /^[a-z2-7]{26}$/.test(text);
}
