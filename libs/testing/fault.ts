const TEXTS = {
  test_hub_missing: {
    id: 'Paket simpul (hub) tidak ditemukan. Pasang: npm install --save-dev simpul',
    en: 'The package simpul (the hub) was not found. Install it: npm install --save-dev simpul',
  },
  test_hub_node: {
    id: 'Hub memerlukan Node {} atau lebih baru. Jalankan tes dengan itu, atau sebut berkas node-nya dalam pilihan node.',
    en: 'The hub needs Node {} or newer. Run the tests with it, or name its file in the option node.',
  },
  test_hub_failed: {
    id: 'Hub untuk tes tidak dapat dijalankan: {}',
    en: 'The hub for tests could not start: {}',
  },
  test_hub_not_settled: {
    id: 'Hub belum selesai mengolah kejadian sampai batas waktu: {}',
    en: 'The hub had not worked through the events at the deadline: {}',
  },
} as const;

export type TestHubFaultCode = keyof typeof TEXTS;

/** Why a hub for tests did not do what it was asked. The message is one line with the remedy, in Indonesian, then in English. */
export class TestHubFault extends Error {
  readonly code: TestHubFaultCode;

  constructor(code: TestHubFaultCode, detail = '', cause?: unknown) {
    const { id, en } = TEXTS[code];
    super(
      `${code}: ${id.replace('{}', () => detail)} / ${en.replace('{}', () => detail)}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'TestHubFault';
    this.code = code;
  }
}
