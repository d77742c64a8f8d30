import { Fault, titleOf, verbatim, type Problem } from '#faults';
import type { ItemResult, Trial } from '#publishing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { languageOf, problemsIn } from '../problem.js';
import { statusOf } from '../status.js';
import type { Edge } from '../types.js';

/** Every item is accepted or a duplicate; or, of a partial request, whatever each item became: 207. */
export function sendDone(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  results: readonly ItemResult[],
  many: boolean,
  partial: boolean,
): void {
  if (partial) return edge.json(req, reply, 207, { results: results.map((r) => shown(edge, req, r)) });
  const receipts = results.map((r) => (r as { receipt: object }).receipt);
  const status = results.every((r) => r.kind === 'duplicate') ? 200 : 201;
  edge.json(req, reply, status, many ? { receipts } : receipts[0]);
}

function shown(edge: Edge, req: FastifyRequest, r: ItemResult): object {
  if ('fault' in r) return { status: statusOf(r.fault.code), problem: edge.document(req, r.fault) };
  return { status: r.kind === 'accepted' ? 201 : 200, receipt: r.receipt };
}

/** Not every item is certain (R3.2): 503 with the result of each item, so that the same request can be sent again. */
export function sendUncertain(
  edge: Edge,
  req: FastifyRequest,
  reply: FastifyReply,
  results: readonly ItemResult[],
): FastifyReply {
  const uncertain = results.flatMap((r) => ('fault' in r && r.fault.row.class === 'unavailable' ? [r.fault] : []));
  const worst = uncertain.find((f) => f.code === 'not_durable') ?? uncertain[0]!;
  const fault = new Fault(worst.code, {
    detail: `${uncertain.length} of ${results.length} events are not certain; send the request again as it is`,
    retryAfterMs: Math.max(...uncertain.map((f) => f.retryAfterMs ?? 1_000)),
  });
  return edge.sendFault(req, reply, fault, { results: results.map((r) => shown(edge, req, r)) });
}

/** The fault of a refused request. Of one event: its own. Of a list: invalid_items, with the problems of each item and its index. */
export function refusalOf(faults: readonly (Fault | undefined)[], many: boolean): Fault {
  if (!many && faults.length === 1) return faults[0]!;
  const problems: Problem[] = [];
  let refused = 0;
  for (const [index, fault] of faults.entries()) {
    if (fault === undefined) continue;
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
