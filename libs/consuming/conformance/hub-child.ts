import { createReader } from '#sdk';
import { filePlaces, HubSource } from '../index.js';

/** The HTTP source as a child of the conformance suite opens it. */
export const openHub = ({ url, dir, group }: { url: string; dir: string; group: string }): HubSource =>
  new HubSource({
    reader: createReader({ url, key: 'kanim' }),
    places: filePlaces(`${dir}/${group}.json`),
    pageSize: 40,
  });
