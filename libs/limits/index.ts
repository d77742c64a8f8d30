export { eachInTurns, eachStepInTurns, stepsInTurns } from './in-turns.js';
export { Limits, type LimitsOptions, type LongWork } from './limits.js';
export { limitFault, type LimitOwner, type OwnerLevel, type Reached } from './owner.js';
export { Rates, type RatesOptions } from './rates.js';
export { Shares, type ShareLimit, type SharesOptions } from './shares.js';
export {
  DEFAULT_LIMITS,
  LIMIT_NAMES,
  LIMITS,
  settingOf,
  type LimitName,
  type LimitRow,
  type LimitValues,
} from './table.js';
export { TokenBucket, type TokenBucketOptions } from './token-bucket.js';
export { ENDLESS, Turns, type Turn, type TurnsOptions, type WorkKind } from './turns.js';
