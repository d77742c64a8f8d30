export type {
  ActorFields,
  ActorInfo,
  ByteRange,
  ConsumerInfo,
  ConsumerLevel,
  Contract,
  Data,
  DecodeOptions,
  Encoded,
  EventContract,
  EventTypeProperties,
  ExpectedInfo,
  FieldInfo,
  FieldKind,
  FieldRole,
  Guarded,
  NameBounds,
  Parsed,
  PiiClass,
  Publisher,
  Split,
  ValueInfo,
} from './types.js';
export { CONSUMER_LEVELS, PII_CLASSES } from './types.js';
export { comparedKind } from './bounds.js';
export { checkSchema, fingerprint } from './canonical.js';
export { compatibility, type Compatibility } from './compatibility.js';
export { checkNewContract, compileContract, compileEventContract, guard, nodeOf } from './contract.js';
export { refusalCode } from './encode.js';
export { fits, gravestOf, leavesOf, type VisitLeaf } from './leaves.js';
export { parseJson, parseJsonInSteps } from './json.js';
export { JsonNumber } from './number.js';
export type { FieldNode as SchemaField, Node as SchemaNode } from './schema.js';
export { nameOf } from './properties.js';
export { sample } from './sample.js';
export { shownAs, type Shown } from './shown.js';
export { UNIT_ID, UNKNOWN_SYMBOL } from './scalar.js';
export { instantMs } from './time.js';
export { nearest } from './walk.js';
export {
  atOnce,
  splitJsonArray,
  splitJsonArrayInSteps,
  splitNdjson,
  splitNdjsonInSteps,
  type InSteps,
} from './split.js';
