/** What a value of a header may hold. */
const VALUE = /^[\t\x20-\x7e]*$/;

/** Headers of a request of this sender as the lines that go out. Each value is checked: a line break in one would begin another header. */
export class HeaderLines {
  text: string;
  /** false: a value cannot stand in a header. */
  isFit = true;

  /** `begin`: lines behind `user-agent` that hold no value of anybody else, each with its end. */
  constructor(begin = '') {
    this.text = `user-agent: simpul\r\n${begin}`;
  }

  add(name: string, value: string): void {
    if (!VALUE.test(value)) this.isFit = false;
    this.text += `${name}: ${value}\r\n`;
  }
}
