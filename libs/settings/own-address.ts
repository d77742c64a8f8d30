import { hostname } from 'node:os';

/** Whether a text is an address of a process: scheme, host and port, and nothing else. */
export function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && text.replace(/\/$/, '') === url.origin;
}

/** Where a process is reached that listens there; empty for any free port. */
export function addressOf(host: string, port: number): string {
  if (port === 0) return '';
  const name = host === '0.0.0.0' || host === '::' ? hostname() : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** The name in an address of a process; without one the name of this machine. */
export function hostOf(address: string): string {
  return address === '' ? hostname() : new URL(address).hostname;
}
