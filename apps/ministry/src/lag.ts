import type { Connection } from '#sdk';

/** The greatest `simpul_view_lag_seconds` of a Prometheus page; undefined when the page has none. */
export function lagOf(metrics: string): number | undefined {
  let most: number | undefined;
  for (const line of metrics.split('\n')) {
    const m = /^simpul_view_lag_seconds(?:\{[^}]*\})?\s+([0-9.e+-]+)/.exec(line);
    if (m !== null) most = Math.max(most ?? 0, Number(m[1]));
  }
  return most;
}

/** How many seconds the slowest view of the hub is behind; undefined when the hub does not answer or has no such metric. */
export async function askLag(connection: Connection): Promise<number | undefined> {
  try {
    const res = await fetch(`${connection.url}/metrics`, { signal: AbortSignal.timeout(1500) });
    return res.ok ? lagOf(await res.text()) : undefined;
  } catch {
    return undefined;
  }
}
