/** What generated files import from the SDK: no generated name is one of these. */
export const sdkNames: ReadonlySet<string> = new Set([
  'defineEvent',
  'Base64Text',
  'DateText',
  'DecimalText',
  'Long',
  'TimeText',
  'UnknownSymbol',
  'UuidText',
]);
