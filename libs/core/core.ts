import type { EventLog } from '#log';
import type { Arrivals, Ends } from '#projection';
import type { Reading } from '#reading';
import type { HubSettings } from '#settings';
import type { State } from '#state';
import type { Logger, Metrics } from '#telemetry';
import type { Limits } from '#limits';
import type { Concerns } from './concerns.js';
import type { OpenNames } from './open-names.js';
import type { ProcessEnd } from './process-end.js';
import type { Readiness } from './readiness.js';
import type { Tables } from './tables.js';
import type { ViewReports } from './view-health.js';

/** What every hub process has, whatever its roles: the engine's ports, the control tables, and where it reports. */
export interface Core extends Omit<Tables, 'close'> {
  readonly settings: HubSettings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: EventLog;
  readonly state: State;
  /** Reads streams: by this path only, so that every reader stays below the settled end and sees no copies. */
  readonly reading: Reading;
  /** A projector reports here how far it has folded; readers of the same process wait here. */
  readonly arrivals: Arrivals;
  /** Log ends and how far folds are behind them: one source for `stale`, the lag metric and health (R7.3). */
  readonly ends: Ends;
  readonly processEnd: ProcessEnd;
  /** A projector says here how its views stand. */
  readonly viewReports: ViewReports;
  readonly readiness: Readiness;
  readonly concerns: Concerns;
  /** The budgets of keys, units and addresses in this process. */
  readonly limits: Limits;
  /** Names of streams and views for what needs no key. */
  readonly openNames: OpenNames;
}
