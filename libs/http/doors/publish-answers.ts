import { blameOf, Fault, titleOf, verbatim, type Problem } from '#faults';
import type { ItemOutcome, Trial } from '#publishing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { languageOf, problemsIn } from '../problem.js';
import { statusOf } from '../status.js';
import { texts } from '../texts.js';
import type { Edge } from '../types.js';

/**
 * Answers a publish request, by the first of these that holds: 503 when an event is not certain, or not accepted for a reason of the hub that may pass
 * (R3.2); 207 with the outcome of each event of a partial request; 500 when the log takes an event only after an operator has acted (R3.9); 4xx when an
 * event was refused: `partly_recorded` when others were recorded, else this request appended nothing (R3.1); 201, or 200 when every event is a
 * duplicate. 5xx and `partly_recorded` have the outcome of each event.
 */
export function sendOutcomes(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  outcomes: readonly ItemOutcome[],
  { many, partial }: { readonly many: boolean; readonly partial: boolean },
): FastifyReply | undefined {
  const faults: Fault[] = [];
  let duplicates = 0;
  for (const o of outcomes) {
    if ('fault' in o) faults.push(o.fault);
    else if (o.kind === 'duplicate') duplicates++;
  }
  const send = (fault: Fault): FastifyReply =>
    edge.sendFault(req, reply, fault, { results: outcomes.map((o) => shown(edge, req, o)) });
  const passing = faults.filter((f) => f.row.class === 'unavailable');
  if (passing.length > 0) return send(uncertainOf(passing, outcomes.length));
  if (partial) {
    edge.json(req, reply, 207, { results: outcomes.map((o) => shown(edge, req, o)) });
    return undefined;
  }
  const lasting = faults.find((f) => blameOf(f.code) === 'hub');
  if (lasting !== undefined) return send(many ? ofMany(lasting, outcomes.length) : lasting);
  if (faults.length > 0) {
    const refused = refusalOf(outcomes, many);
    return faults.length < outcomes.length ? send(refused) : edge.sendFault(req, reply, refused);
  }
  const receipts = outcomes.map((o) => (o as { receipt: object }).receipt);
  edge.json(req, reply, duplicates === outcomes.length ? 200 : 201, many ? { receipts } : receipts[0]);
  return undefined;
}

function shown(edge: Edge, req: FastifyRequest, r: ItemOutcome): object {
  if ('fault' in r) return { status: statusOf(r.fault.code), problem: edge.document(req, r.fault) };
  return { status: r.kind === 'accepted' ? 201 : 200, receipt: r.receipt };
}

/** The fault of a request with these events that are not certain: the same request can be sent again. */
function uncertainOf(passing: readonly Fault[], all: number): Fault {
  return new Fault(passing.every((f) => f.code !== 'not_durable') ? passing[0]!.code : 'not_durable', {
    detail: `${passing.length} of ${all} events are not certain; send the request again as it is`,
    retryAfterMs: Math.max(...passing.map((f) => f.retryAfterMs ?? 1_000)),
  });
}

/** The fault of a list that has an event with this one. */
function ofMany({ code, retryAfterMs, cause }: Fault, all: number): Fault {
  return new Fault(code, {
    problems: [{ pointer: '', reason: texts.see_results({ all }), code }],
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause,
  });
}

/**
 * The fault of a refused request. Of one event: its own. Of a list: with the problems of each refused event and its index, and partly_recorded when this
 * request has recorded others, else invalid_items.
 */
function refusalOf(outcomes: readonly ItemOutcome[], many: boolean): Fault {
  const faults = outcomes.map((o) => ('fault' in o ? o.fault : undefined));
  if (!many && faults.length === 1) return faults[0]!;
  const problems: Problem[] = [];
  let refused = 0;
  for (const [index, fault] of faults.entries()) {
    // `invalid_items`: it was fine, and is refused with the others.
    if (fault === undefined || fault.code === 'invalid_items') continue;
    refused++;
    problems.push(...problemsOf(fault).map((p) => ({ ...p, index })));
  }
  const recorded = outcomes.filter((o) => o.kind === 'accepted').length;
  if (recorded === 0)
    return new Fault('invalid_items', { detail: `${refused} of ${faults.length} events refused`, problems });
  return new Fault('partly_recorded', {
    detail: `${refused} of ${faults.length} events refused, ${recorded} recorded`,
    problems,
  });
}

function problemsOf(fault: Fault): readonly Problem[] {
  if (fault.problems.length === 0)
    return [
      { pointer: '', reason: fault.detail === undefined ? titleOf(fault) : verbatim(fault.detail), code: fault.code },
    ];
  return fault.problems.map((p) => ({ ...p, code: p.code ?? fault.code }));
}

/**
 * The JSON text of the trial with this index: what the event would become; nothing was written. Of a type whose subject is a pseudonym neither the subject nor
 * the partition, which is made of it: whoever may publish the type could find the clear subject of other events by trying values (R12.7).
 */
export function trialText(req: FastifyRequest, trials: readonly Trial[]): (index: number) => string {
  const shown = trialOf(req);
  return (index) => JSON.stringify(shown(trials[index]!));
}

function trialOf(req: FastifyRequest): (trial: Trial) => object {
  const language = languageOf(req.headers['accept-language']);
  return (t) =>
    t.ok
      ? {
          type: t.item.type.type,
          stream: t.item.stream,
          ...(t.item.test ? { test: true } : {}),
          ...(t.item.type.subjectForm === 'pseudonym' ? {} : { subject: t.item.subject, partition: t.item.partition }),
          problems: [],
        }
      : { problems: problemsIn(language, problemsOf(t.fault)) };
}
