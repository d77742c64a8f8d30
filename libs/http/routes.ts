import type { RouteConfig } from './types.js';

export interface KnownRoute extends RouteConfig {
  readonly method: string;
  /** Fastify's form: `/v1/streams/:stream`. */
  readonly url: string;
}

/** All declared routes, Fastify's and Nest's: for 405 with Allow, and for /openapi.json. */
export class RouteTable {
  readonly #routes: KnownRoute[] = [];
  readonly #patterns = new Map<string, { readonly match: RegExp; readonly methods: Set<string> }>();

  add(route: KnownRoute): void {
    this.#routes.push(route);
    const known = this.#patterns.get(route.url);
    if (known) known.methods.add(route.method);
    else {
      const source = route.url
        .split('/')
        .map((s) => (s.startsWith(':') ? '[^/]+' : s === '*' ? '.*' : s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
        .join('/');
      this.#patterns.set(route.url, { match: new RegExp(`^${source}$`), methods: new Set([route.method]) });
    }
  }

  /** Without HEAD, which stands beside every GET. */
  list(): readonly KnownRoute[] {
    return this.#routes.filter((r) => r.method !== 'HEAD');
  }

  /** The methods of the path of this URL; empty when no route has it. */
  methods(url: string): readonly string[] {
    const end = url.search(/[?#]/);
    const path = end < 0 ? url : url.slice(0, end);
    const out = new Set<string>();
    for (const { match, methods } of this.#patterns.values()) {
      if (match.test(path)) for (const m of methods) out.add(m);
    }
    return [...out].sort();
  }
}
