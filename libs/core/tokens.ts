/** Token of the Core: what every hub process has, as one value made of the providers below. Roles inject it; a test overrides the part it wants to change. */
export const CORE = Symbol('simpul.core');

/** HubSettings of the process. */
export const SETTINGS = Symbol('simpul.core.settings');
/** Logger of the process. */
export const LOGGER = Symbol('simpul.core.logger');
/** `() => number`: milliseconds since 1970. */
export const CLOCK = Symbol('simpul.core.clock');
/** Engine: the data folder and both ports, opened and closed together. */
export const ENGINE = Symbol('simpul.core.engine');
/** EventLog port of the engine. */
export const EVENT_LOG = Symbol('simpul.core.event-log');
/** State port of the engine. */
export const STATE = Symbol('simpul.core.state');
/** Tables: the control tables and what is read from them. */
export const TABLES = Symbol('simpul.core.tables');
/**
 * `readonly Door[]`: hot routes, mounted as Fastify routes. Every module may provide a value of its own under this token; the edge mounts all of them.
 * Cold doors are Nest controllers of the role's module.
 */
export const HOT_DOORS = Symbol('simpul.core.hot-doors');
