/**
 * The value of an attribute as the HTTP header `ce-…` (CloudEvents HTTP binding): everything but printable ASCII, and blank, `"` and `%`, as percent-encoded UTF-8.
 * The text must be well-formed.
 */
export function headerText(value: string): string {
  return value.replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, encodeURIComponent);
}
