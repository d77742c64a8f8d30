/** A secret value: in text, JSON and log lines it appears as `••••`; only reveal() gives the value. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '••••';
  }
  toJSON(): string {
    return '••••';
  }
}
