import { nearest } from '#avro';
import { verbatim } from '#faults';
import { Usage } from './usage.js';

const SEGMENT = /^[a-z0-9*-]+$/;

/**
 * Whether a type is one of the patterns: a name or the beginning of one (`imigrasi.paspor`), `*` for one part of it (or for the rest of a part), `#` at the end
 * for all further parts. No pattern: every type. Throws Usage for a text that is no pattern.
 */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const forms = patterns.map(formOf);
  return (type) => forms.length === 0 || forms.some((form) => form.test(type));
}

function formOf(pattern: string): RegExp {
  const parts = pattern.split('.');
  const rest = parts.at(-1) === '#';
  const named = rest ? parts.slice(0, -1) : parts;
  if (named.some((part) => !SEGMENT.test(part)) || pattern.length > 200)
    throw new Usage(verbatim(`${pattern}: imigrasi.paspor.diterbitkan, imigrasi.paspor.*, imigrasi.#`));
  const text = named.map((part) => part.replaceAll('*', '[^.]*')).join('\\.');
  if (named.length === 0) return /^/;
  // As at `type gen`, a name alone means all types below it too.
  return new RegExp(`^${text}${rest || !pattern.includes('*') ? '(\\..+)?' : ''}$`);
}

/** Nothing but whole segments: a pattern as subscriptions know it. */
const WHOLE = /^(?:\*|[a-z0-9][a-z0-9-]*)(?:\.(?:\*|[a-z0-9][a-z0-9-]*))*$/;

/**
 * The patterns of the command line as those of a subscription about these types. Those know `*` for a whole segment only, and no beginning of a name; what they cannot say is said by the
 * types that there are now.
 */
export function patternsOf(patterns: readonly string[], known: readonly string[]): readonly string[] {
  if (patterns.length === 0) return ['#'];
  const out = patterns.flatMap((pattern) => {
    const matches = typeMatcher([pattern]);
    const found = known.filter(matches);
    if (found.length === 0) return [];
    if (pattern === '#') return [pattern];
    const hasRest = pattern.endsWith('.#');
    if (!WHOLE.test(hasRest ? pattern.slice(0, -2) : pattern)) return found;
    return hasRest || pattern.includes('*') ? [pattern] : [`${pattern}.#`];
  });
  return [...new Set(out)];
}

/** At most three of the names that are most like a text, the likeliest first, for "did you mean". */
export function alike(text: string, names: readonly string[]): readonly string[] {
  const parts = text.split(/[.*#]+/).filter((part) => part.length > 1);
  const sharing = (name: string): number => parts.filter((part) => name.includes(part)).length;
  const close = nearest(text, names);
  const near = names.filter((name) => name !== close && sharing(name) > 0).sort((a, b) => sharing(b) - sharing(a));
  return [...(close === undefined ? [] : [close]), ...near].slice(0, 3);
}
