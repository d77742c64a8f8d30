/** Token of the provider that says what the HTTP edge works with: an EdgeParts in a module of the app. */
export const EDGE = Symbol('simpul.http.edge');

/** Token of the signal that aborts when the server begins to drain. */
export const CLOSING = Symbol('simpul.http.closing');

/** Token of the table of routes. */
export const ROUTES = Symbol('simpul.http.routes');
