import type { Caller } from '#access';
import { Fault, FAULTS, type FaultCode } from '#faults';
import { describe, expect, it } from '@jest/globals';
import { authenticated } from './authentication.js';
import { HTTP_LIMITS } from './open.js';
import { apiProfiles, Profiles, type DoorProfile } from './profile.js';
import { registryErrorOf } from './registry-error.js';
import { statusOf } from './status.js';

const caller: Caller = { keyId: 'k1', owner: 'SU00123', system: 'simkim', roles: new Set(['reader']) };
const keys = (header: string | undefined): Caller | undefined => (header === 'Bearer good' ? caller : undefined);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const shape = { prefix: '/x', errors: 'problem' } as const;

describe('the profile of a path', () => {
  const registry: DoorProfile = { prefix: '/registry', auth: 'basic', errors: 'registry' };
  const hooks: DoorProfile = { prefix: '/registry/hooks/', auth: 'none', errors: 'problem' };
  const profiles = new Profiles([...apiProfiles(HTTP_LIMITS), registry, hooks]);

  it('is the one with the longest prefix, which ends where a segment ends', () => {
    for (const [url, prefix] of [
      ['/v1/units', '/'],
      ['/v1/events', '/v1/events'],
      ['/v1/events?partial=true', '/v1/events'],
      ['/v1/events/a/0/1', '/v1/events'],
      ['/v1/eventsource', '/'],
      ['/registry#x', '/registry'],
      ['/registry/hooks/a', '/registry/hooks/'],
      ['/registry/hooks', '/registry'],
    ] as const)
      expect([url, profiles.of(url).prefix]).toEqual([url, prefix]);
  });

  it('takes API keys and answers problem documents when none covers the path', () => {
    expect(new Profiles([registry]).of('/v1/units')).toMatchObject({ auth: 'bearer', errors: 'problem' });
  });

  it('is the later one of two with the same prefix', () => {
    const later: DoorProfile = { ...registry, errors: 'problem' };
    expect(new Profiles([registry, later]).of('/registry')).toBe(later);
  });
});

describe('authentication by profile', () => {
  const by = (profile: DoorProfile, headers: Record<string, string>) => authenticated(profile, { headers }, keys);

  it('bearer: the Authorization header goes to the keys as it is', () => {
    const profile: DoorProfile = { ...shape, auth: 'bearer' };
    expect(by(profile, { authorization: 'Bearer good' })).toBe(caller);
    expect(by(profile, { authorization: basic('any:good') })).toBeUndefined();
    expect(by(profile, {})).toBeUndefined();
  });

  it('basic: the password is the API key, the user name is free; everything else is not valid', () => {
    const profile: DoorProfile = { ...shape, auth: 'basic' };
    for (const good of [basic('any:good'), basic(':good'), basic('any:good').replace('Basic', 'basic')])
      expect(by(profile, { authorization: good })).toBe(caller);
    for (const bad of ['Bearer good', 'Basic', 'Basic %%%', basic('good'), basic('any:bad'), basic('any:x:good')])
      expect([bad, by(profile, { authorization: bad })]).toEqual([bad, undefined]);
  });

  it('session: the owner of the sessions reads the value of one cookie; a cookie given twice is not valid', () => {
    const session = { name: 'sid', callerOf: (value: string) => (value === 's=1' ? caller : undefined) };
    const profile: DoorProfile = { ...shape, auth: 'session', session };
    expect(by(profile, { cookie: 'a=b; sid=s=1' })).toBe(caller);
    for (const cookie of ['sid=other', 'xsid=s=1', 'sid=', 'sid', 'sid=s=1; sid=s=1', ''])
      expect([cookie, by(profile, { cookie })]).toEqual([cookie, undefined]);
    expect(by(profile, { authorization: 'Bearer good' })).toBeUndefined();
  });

  it('none: no credentials are read', () => {
    expect(by({ ...shape, auth: 'none' }, { authorization: 'Bearer good' })).toBeUndefined();
  });
});

describe('an error of the registry', () => {
  it('is error_code and message and nothing else for every fault code, and never holds the inside', () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const fault = new Fault(code, { detail: 'what was wrong', cause: new Error('secret') });
      const error = registryErrorOf(fault);
      expect(Object.keys(error)).toEqual(['error_code', 'message']);
      expect(error.error_code).toBe(statusOf(code));
      expect(error.message).not.toContain('secret');
      expect(error.message === 'what was wrong').toBe(error.error_code !== 500);
    }
    expect(registryErrorOf(new Fault('not_found')).message).toBe('Not found');
  });
});
