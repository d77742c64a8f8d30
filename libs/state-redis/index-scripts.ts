import { script } from './script.js';

/** Put-if-absent in the duplicate index. KEYS: index keys. ARGV: expiry in ms, then one row per key. Returns per key the row that the index already held, or nil when the row was put; last the number of keys that this server has evicted, which says whether absent means absent. */
export const PUT_FIRST = script(
  `
local held = {}
for i = 1, #KEYS do
  if redis.call('SET', KEYS[i], ARGV[i + 1], 'NX', 'PX', ARGV[1]) then held[i] = false
  else held[i] = redis.call('GET', KEYS[i]) end
end
held[#KEYS + 1] = string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)') or ''
return held
`,
  true,
);

/**
 * Compare-and-set in the duplicate index. KEYS: index keys. ARGV: expiry in ms, then for each key the row that may be replaced and the row that takes its place.
 * Returns per key the row that the index held and keeps, or nil when the row was replaced.
 */
export const REPLACE_FIRST = script(
  `
local held = {}
for i = 1, #KEYS do
  local row = redis.call('GET', KEYS[i])
  if not row or row == ARGV[i * 2] then
    redis.call('SET', KEYS[i], ARGV[i * 2 + 1], 'PX', ARGV[1])
    held[i] = false
  else held[i] = row end
end
return held
`,
  true,
);
