/** `?name=value…` of the defined parameters, or an empty text. */
export function query(pairs: Readonly<Record<string, string | number | undefined>>): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(pairs)) if (value !== undefined) q.set(name, String(value));
  const text = q.toString();
  return text === '' ? '' : `?${text}`;
}

/** The `type` parameter: one type, or several with commas. */
export function typeList(type: string | readonly string[] | undefined): string | undefined {
  return type === undefined || typeof type === 'string' ? type : type.join(',');
}
