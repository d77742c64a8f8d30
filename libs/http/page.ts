import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * The body `{[name]: items, next, …more}` of a page, and its Link header on the reply. `next` undefined = the last page (null in the body).
 */
export function pageBody(
  req: FastifyRequest,
  reply: FastifyReply,
  name: string,
  items: readonly unknown[],
  next: string | undefined,
  more?: Record<string, unknown>,
): Record<string, unknown> {
  if (next !== undefined) reply.header('link', `<${nextUrl(req.url, next)}>; rel="next"`);
  return { [name]: items, next: next ?? null, ...more };
}

/** Sends a page. */
export function sendPage(...page: Parameters<typeof pageBody>): FastifyReply {
  return page[1].send(pageBody(...page));
}

/** The same address with another cursor. */
export function nextUrl(url: string, cursor: string): string {
  // Only the first question mark ends the path: a later one belongs to the query.
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const params = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  params.set('cursor', cursor);
  return `${path}?${params.toString()}`;
}
