import { Fault, titleOf, verbatim, type Problem } from '#faults';
import type { ItemOutcome, Trial } from '#publishing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { languageOf, problemsIn } from '../problem.js';
import { statusOf } from '../status.js';
import type { Edge } from '../types.js';

/**
 * Answers a publish request. 503 when an event is not certain, or not accepted for a reason of the hub (R3.2); 4xx when a request that is not partial
 * was refused (R3.1); 207 with the outcome of each event of a partial request; else 201, or 200 when every event is a duplicate.
 */
export function sendOutcomes(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  outcomes: readonly ItemOutcome[],
  { many, partial }: { readonly many: boolean; readonly partial: boolean },
): FastifyReply | undefined {
  let duplicates = 0;
  let accepted = 0;
  let refused = false;
  for (const o of outcomes) {
    if ('fault' in o) {
      if (o.fault.row.class === 'unavailable') return sendUncertain(edge, req, reply, outcomes);
      refused = true;
    } else if (o.kind === 'duplicate') duplicates++;
    else accepted++;
  }
  if (partial) {
    edge.json(req, reply, 207, { results: outcomes.map((o) => shown(edge, req, o)) });
    return undefined;
  }
  // the log refused a record when others of this request were written already: sent again, those are duplicates, and the refusal is final
  if (refused && accepted > 0) return sendUncertain(edge, req, reply, outcomes);
  if (refused) return edge.sendFault(req, reply, refusalOf(outcomes, many));
  const receipts = outcomes.map((o) => (o as { receipt: object }).receipt);
  edge.json(req, reply, duplicates === outcomes.length ? 200 : 201, many ? { receipts } : receipts[0]);
  return undefined;
}

function shown(edge: Edge, req: FastifyRequest, r: ItemOutcome): object {
  if ('fault' in r) return { status: statusOf(r.fault.code), problem: edge.document(req, r.fault) };
  return { status: r.kind === 'accepted' ? 201 : 200, receipt: r.receipt };
}

/** 503 with the outcome of each event, so that the same request can be sent again. */
function sendUncertain(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  results: readonly ItemOutcome[],
): FastifyReply {
  const faults = results.flatMap((r) => ('fault' in r ? [r.fault] : []));
  const uncertain = faults.filter((f) => f.row.class === 'unavailable');
  const code = uncertain.every((f) => f.code !== 'not_durable') ? (uncertain[0]?.code ?? 'not_durable') : 'not_durable';
  const what =
    uncertain.length > 0
      ? `${uncertain.length} of ${results.length} events are not certain`
      : `the log refused ${faults.length} of ${results.length} events and took the others`;
  const fault = new Fault(code, {
    detail: `${what}; send the request again as it is`,
    retryAfterMs: Math.max(1_000, ...uncertain.map((f) => f.retryAfterMs ?? 1_000)),
  });
  return edge.sendFault(req, reply, fault, { results: results.map((r) => shown(edge, req, r)) });
}

/** The fault of a refused request. Of one event: its own. Of a list: invalid_items, with the problems of each refused event and its index. */
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
  return new Fault('invalid_items', { detail: `${refused} of ${faults.length} events refused`, problems });
}

function problemsOf(fault: Fault): readonly Problem[] {
  if (fault.problems.length === 0)
    return [
      { pointer: '', reason: fault.detail === undefined ? titleOf(fault) : verbatim(fault.detail), code: fault.code },
    ];
  return fault.problems.map((p) => ({ ...p, code: p.code ?? fault.code }));
}

/** Answers a dry run: what each item would become; nothing was written. */
export function sendTrials(
  req: FastifyRequest,
  reply: FastifyReply,
  trials: readonly Trial[],
  many: boolean,
): FastifyReply {
  const language = languageOf(req.headers['accept-language']);
  const results = trials.map((t) =>
    t.ok
      ? {
          type: t.item.type.type,
          stream: t.item.stream,
          subject: t.item.subject,
          partition: t.item.partition,
          problems: [],
        }
      : { problems: problemsIn(language, problemsOf(t.fault)) },
  );
  return reply.send(many ? { results } : results[0]);
}
