import type { Caller } from '#access';
import type { FastifyRequest } from 'fastify';
import type { DoorProfile } from './profile.js';

/** The caller of an Authorization header with a Bearer key; undefined = not valid. */
export type Authenticate = (authorization: string | undefined) => Caller | undefined;

/** Who sends this request, by the scheme of its profile; undefined = no valid credentials. Total. */
export function authenticated(
  profile: DoorProfile,
  req: Pick<FastifyRequest, 'headers'>,
  authenticate: Authenticate,
): Caller | undefined {
  switch (profile.auth) {
    case 'bearer':
    case 'basic':
      return authenticate(bearerOf(profile, req));
    case 'session': {
      const value = cookieValue(req.headers.cookie, profile.session.name);
      return value === undefined ? undefined : profile.session.callerOf(value);
    }
    case 'none':
      return undefined;
  }
}

/** The key of a request as a Bearer header, where the profile takes keys. */
export function bearerOf(profile: DoorProfile, req: Pick<FastifyRequest, 'headers'>): string | undefined {
  if (profile.auth === 'bearer') return req.headers.authorization;
  return profile.auth === 'basic' ? bearerOfBasic(req.headers.authorization) : undefined;
}

/** What a 401 offers. A session has no challenge: HTTP knows no authentication scheme for cookies. */
export const CHALLENGES: Readonly<Record<DoorProfile['auth'], string | undefined>> = {
  bearer: 'Bearer realm="simpul"',
  basic: 'Basic realm="simpul", charset="UTF-8"',
  session: undefined,
  none: undefined,
};

/** The password of Basic credentials is the API key; clients of the registry want a user name, any will do. */
function bearerOfBasic(header: string | undefined): string | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : `Bearer ${pair.slice(colon + 1)}`;
}

/** The value of one cookie. Given twice it is not valid: another site of the same domain may have set the second one (cookie tossing). */
function cookieValue(header: string | undefined, name: string): string | undefined {
  const found: string[] = [];
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at >= 0 && pair.slice(0, at).trim() === name) found.push(pair.slice(at + 1).trim());
  }
  return found.length === 1 && found[0] !== '' ? found[0] : undefined;
}
