const TEXTS = {
  no_handler: {
    id: 'Aplikasi tidak memiliki penangan untuk {}: periksa bahwa kelas dengan @OnEvent ada di antara providers, dan bahwa app.init() sudah selesai',
    en: 'The app has no handler of {}: check that the class with @OnEvent is among the providers, and that app.init() has ended',
  },
  not_in_memory: {
    id: 'Tes ini tidak memiliki hub, dan aplikasi meminta {}. Ganti penyedia itu dengan overrideProvider(SimpulReader), atau pakai SimpulTestingModule.forRoot',
    en: 'This test has no hub, and the app asks for {}. Replace the provider by overrideProvider(SimpulReader), or use SimpulTestingModule.forRoot',
  },
  app_not_settled: {
    id: 'Aplikasi belum selesai menangani kejadian sampai batas waktu: {}',
    en: 'The app had not handled the events at the deadline: {}',
  },
  app_ended: {
    id: 'Aplikasi tidak menangani kejadian lagi: {}',
    en: 'The app handles no events any more: {}',
  },
} as const;

export type SimpulTestFaultCode = keyof typeof TEXTS;

/** Why a test of an app cannot go on. The message is one line with the remedy, in Indonesian, then in English. */
export class SimpulTestFault extends Error {
  readonly code: SimpulTestFaultCode;

  constructor(code: SimpulTestFaultCode, detail: string, cause?: unknown) {
    const { id, en } = TEXTS[code];
    super(
      `${code}: ${id.replace('{}', () => detail)} / ${en.replace('{}', () => detail)}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'SimpulTestFault';
    this.code = code;
  }
}
