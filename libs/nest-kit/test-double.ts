import type { Consumer, Handling } from '#consuming';
import type { Connection } from '#sdk';
import type { SimpulOptions } from './options.js';

/**
 * What a test puts in the place of the hub of an app: the modules of `@simpul/nest/testing` provide it, globally, under `TEST_DOUBLE`, and SimpulModule takes it when it is there. An app has no
 * other use for it.
 */
export interface TestDouble {
  /** The options of the app as the test wants them. */
  options(own: SimpulOptions): SimpulOptions;
  /** In the place of a connection to `url`. */
  readonly connection?: Connection;
  /** Gets the handlers of the app when its start ends; no consumer runs them then, and no hub is asked for their types. */
  readonly handlers?: (found: readonly Handling[]) => void;
  /** Gets the consumer of the app before it runs. */
  readonly consumer?: (consumer: Consumer) => void;
}

export const TEST_DOUBLE = Symbol('SimpulTestingModule');
/** The options of forRoot, or what a test has made of them. */
export const OPTIONS = Symbol('simpul.options');
