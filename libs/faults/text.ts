/** The languages of every text for people. Indonesian comes first. */
export type Language = 'id' | 'en';

/** One sentence in each language. */
export type Bilingual = Readonly<Record<Language, string>>;

/** The value of a placeholder: a name or a number, the same in both languages, or another text. */
export type TextArg = string | number | Text;

/**
 * A sentence for a person, kept as a code with arguments and rendered at the edge in the language of the reader. Immutable and cheap to make:
 * only `in` puts the sentence together. As a string, and in JSON for a log, it is English.
 */
export class Text {
  /** Stable, snake_case, unique within its table. */
  readonly code: string;
  readonly args: Readonly<Record<string, TextArg>> | undefined;
  /** The row of the table travels with the text, so that no registry of tables is needed and none can be incomplete. */
  readonly #row: Bilingual;

  constructor(code: string, row: Bilingual, args?: Readonly<Record<string, TextArg>>) {
    this.code = code;
    this.args = args;
    this.#row = row;
  }

  /** The sentence in one language. Total. */
  in(language: Language): string {
    const sentence = this.#row[language];
    const { args } = this;
    if (args === undefined) return sentence;
    return sentence.replace(PLACEHOLDER, (whole, name: string) => {
      const arg = Object.hasOwn(args, name) ? args[name] : undefined;
      return arg === undefined ? whole : arg instanceof Text ? arg.in(language) : String(arg);
    });
  }

  toString(): string {
    return this.in('en');
  }

  toJSON(): string {
    return this.in('en');
  }
}

const PLACEHOLDER = /\{([a-zA-Z]+)\}/g;

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
type SameSet<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Checked<Row extends Bilingual> =
  SameSet<Placeholders<Row['id']>, Placeholders<Row['en']>> extends true
    ? Row
    : { readonly error: 'id and en must have the same placeholders' };
type MakerOf<Row extends Bilingual> = [Placeholders<Row['en']>] extends [never]
  ? () => Text
  : (args: { readonly [Name in Placeholders<Row['en']>]: TextArg }) => Text;

/** Functions that make the texts of a table: one for each code, with an argument for each `{placeholder}`. */
export type Texts<Table extends Readonly<Record<string, Bilingual>>> = {
  readonly [Code in keyof Table]: MakerOf<Table[Code]>;
};

/**
 * The texts of one room: `{code: {id, en}}` with `{name}` for what is filled in. A missing language, a placeholder that only one language has,
 * an unknown code and a missing argument are type errors.
 */
export function defineTexts<const Table extends Readonly<Record<string, Bilingual>>>(
  table: Table & { readonly [Code in keyof Table]: Checked<Table[Code]> },
): Texts<Table> {
  const makers = Object.entries<Bilingual>(table).map(([code, row]) => {
    const whole = new Text(code, row);
    return [
      code,
      (args?: Readonly<Record<string, TextArg>>) => (args === undefined ? whole : new Text(code, row, args)),
    ];
  });
  return Object.fromEntries(makers) as Texts<Table>;
}

const VERBATIM: Bilingual = { id: '{value}', en: '{value}' };

/**
 * What reads the same in every language: a name, a form or a list of them (`identity`, `stream/partition/offset`), or the message of a library,
 * which exists in English only. A sentence of ours has a row in a table instead.
 */
export function verbatim(value: string): Text {
  return new Text('verbatim', VERBATIM, { value });
}
