import { reasonOf } from '#consuming';
import type { WebhookReport } from './options.js';

const AGAIN_MS = 60_000;

/** The report of the app; what it does not take goes to stderr, the same at most once a minute: who sends rubbish shall not fill a disk. */
export function reportOf(given: WebhookReport = {}): Required<WebhookReport> {
  const told = new Map<string, number>();
  const tell = (line: string): void => {
    const now = Date.now();
    if (now - (told.get(line) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    if (told.size >= 1_000) told.clear();
    told.set(line, now);
    process.stderr.write(`simpul webhook: ${line}\n`);
  };
  return {
    refused:
      given.refused ??
      (({ reason, status, detail }) =>
        tell(`a request is refused, ${status} ${reason}${detail === undefined ? '' : `: ${detail}`}`)),
    failed:
      given.failed ??
      (({ type, status, cause }) => tell(`the handler of ${type} failed, ${status}: ${reasonOf(cause)}`)),
  };
}
