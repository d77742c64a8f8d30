import { scriptedHub, type ScriptedRequest } from './scripted-hub.js';

export interface SentEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly urutanunit: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the hub does with an event: `ok` records it, `cut` records it and breaks the connection, a problem is answered. */
export type Verdict = 'ok' | 'cut' | { readonly status: number; readonly code: string };

/** A scripted hub that records events once per (source, id), as the hub does. */
export async function recordingHub(verdict: (event: SentEvent, request: ScriptedRequest) => Verdict = () => 'ok') {
  const events: SentEvent[] = [];
  const offsets = new Map<string, number>();
  const record = (event: SentEvent) => {
    const key = `${event.source}\n${event.id}`;
    const duplicate = offsets.has(key);
    if (!duplicate) {
      offsets.set(key, events.length);
      events.push(event);
    }
    const stream = event.type.slice(0, event.type.lastIndexOf('.'));
    const offset = offsets.get(key)!;
    return {
      ...{ id: event.id, source: event.source, type: event.type, stream, partition: 0, offset, duplicate },
      position: `${stream}/0/${offset}`,
      digest: 'sha-256:00',
      recordedtime: '2026-01-01T00:00:00Z',
    };
  };
  const hub = await scriptedHub((request) => {
    const sent = request.body.split('\n').map((line) => JSON.parse(line) as SentEvent);
    let cut = false;
    const results = sent.map((event) => {
      const said = verdict(event, request);
      if (typeof said === 'object') return { status: said.status, problem: { code: said.code, status: said.status } };
      if (said === 'cut') cut = true;
      return { status: 201, receipt: record(event) };
    });
    if (cut) {
      request.res.destroy();
      return undefined;
    }
    const [one] = results;
    const whole = results.find(({ status }) => status === 401);
    if (whole !== undefined) return { status: 401, body: whole.problem };
    if (request.query.get('partial') === 'true') {
      const uncertain = results.some(({ status }) => status === 503);
      return uncertain
        ? { status: 503, body: { code: 'not_durable', status: 503, results } }
        : { status: 207, body: { results } };
    }
    return { status: one!.status, body: one!.problem ?? one!.receipt };
  });
  return { ...hub, events };
}
