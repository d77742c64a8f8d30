import { script } from './script.js';

/** A row that is none, or a key of another type, is removed: somebody else has written into it. `lost` counts them. */
const ROW = `
local lost = 0
local function row_of(key)
  local row = redis.pcall('GET', key)
  if not row then return false end
  if type(row) == 'string' and string.match(row, '^%S+ %d+ %d+ %d+ %d+ %S*$') then return row end
  redis.call('UNLINK', key)
  lost = lost + 1
  return false
end
`;

/**
 * Put-if-absent in the duplicate index. KEYS: index keys. ARGV: expiry in ms, then one row per key. Returns per key the row that the index already held, or nil
 * when the row was put; then the number of keys that this server has evicted, which says whether absent means absent; last how many rows were none.
 */
export const PUT_FIRST = script(
  `${ROW}
local held = {}
for i = 1, #KEYS do
  local function put() return redis.call('SET', KEYS[i], ARGV[i + 1], 'NX', 'PX', ARGV[1]) end
  held[i] = false
  if not put() then
    held[i] = row_of(KEYS[i])
    if not held[i] then put() end
  end
end
held[#KEYS + 1] = string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)') or ''
held[#KEYS + 2] = tostring(lost)
return held
`,
  true,
);

/**
 * Compare-and-set in the duplicate index. KEYS: index keys. ARGV: expiry in ms, then for each key the row that may be replaced and the row that takes its place.
 * Returns per key the row that the index held and keeps, or nil when the row was replaced.
 */
export const REPLACE_FIRST = script(
  `${ROW}
local held = {}
for i = 1, #KEYS do
  local row = row_of(KEYS[i])
  if not row or row == ARGV[i * 2] then
    redis.call('SET', KEYS[i], ARGV[i * 2 + 1], 'PX', ARGV[1])
    held[i] = false
  else held[i] = row end
end
return held
`,
  true,
);
