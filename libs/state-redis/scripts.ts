import { hash } from 'node:crypto';

export interface Script {
  readonly lua: string;
  readonly sha: string;
  /** Refused with `state_untrusted` while a server may evict keys or is a replica. Reads of a view partition see what is missing by themselves. */
  readonly needsTrust: boolean;
}

const script = (lua: string, needsTrust: boolean): Script => ({ lua, sha: hash('sha1', lua), needsTrust });

// unpack() of Lua accepts about 8,000 values, so long lists are handled in slices.
const SLICES = `
local function each(from, to, size, run)
  while from <= to do
    local last = math.min(from + size - 1, to)
    run(from, last)
    from = last + 1
  end
end
`;

/**
 * One commit (R5.6): checks first, then values, progress last, then up to 100 expired tombstones. A server that is out of memory or a read-only replica
 * refuses the first write of a script, never a later one, so no commit is partial.
 * KEYS: o, e, el, s, sl, feed of the stream, d, dx. ARGV: 1 stream, 2 epoch, 3 from, 4 next, 5 low, 6 append time or '', 7 now, 8 tombstones written
 * at or before this time expire, 9 key base, 10-13 number of entry puts, entry deletes, part puts, part deletes, 14 proof or '-', 15 '1' when the feed has
 * no deletes below `next`; then rows of
 * (key, value, offset), (key, append time, offset), (key, value), (key). Progress is stored as "next epoch time expired proof reset": `expired` is the
 * greatest offset of an expired tombstone, or "-"; `proof` is a text or "-"; `reset` is "atMs:until" or "-". Rows of earlier releases end after `expired`.
 * Returns false when applied, {expected, epoch} when refused. less() compares decimal texts as numbers of any size.
 */
export const COMMIT = script(
  `${SLICES}
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
local stream = ARGV[1]
local row = redis.call('HGET', KEYS[1], stream)
local expected, epoch, time, expired, reset = ARGV[5], '0', '0', '-', '-'
if row then
  local rest
  expected, epoch, time, expired, rest = string.match(row, '^(%S+) (%S+) (%S+) (%S+)(.*)$')
  reset = string.match(rest, '^ %S+ (%S+)$') or '-'
end
if less(ARGV[2], epoch) or ARGV[3] ~= expected then return {expected, epoch} end
if ARGV[6] ~= '' then time = ARGV[6] end

local at = 16
local function stop(n, width) return at + n * width - 1 end

local tombstones = redis.call('EXISTS', KEYS[8]) == 1
local last = stop(tonumber(ARGV[10]), 3)
each(at, last, 3000, function(from, to)
  local set, feed = {}, {}
  for i = from, to, 3 do
    set[#set + 1] = ARGV[i]
    set[#set + 1] = ARGV[i + 1]
    feed[#feed + 1] = ARGV[i + 2]
    feed[#feed + 1] = ARGV[i]
  end
  local added = redis.call('HSET', KEYS[2], unpack(set))
  redis.call('ZADD', KEYS[6], unpack(feed))
  if added > 0 then
    local index, keys = {}, {}
    for i = from, to, 3 do
      index[#index + 1] = 0
      index[#index + 1] = ARGV[i]
      keys[#keys + 1] = ARGV[i]
    end
    redis.call('ZADD', KEYS[3], unpack(index))
    if tombstones then
      redis.call('HDEL', KEYS[7], unpack(keys))
      redis.call('ZREM', KEYS[8], unpack(keys))
    end
  end
end)
at = last + 1

last = stop(tonumber(ARGV[11]), 3)
each(at, last, 3000, function(from, to)
  local keys, times, ages, feed = {}, {}, {}, {}
  for i = from, to, 3 do
    keys[#keys + 1] = ARGV[i]
    times[#times + 1] = ARGV[i]
    times[#times + 1] = ARGV[i + 1]
    ages[#ages + 1] = ARGV[7]
    ages[#ages + 1] = ARGV[i]
    feed[#feed + 1] = ARGV[i + 2]
    feed[#feed + 1] = ARGV[i]
  end
  redis.call('HDEL', KEYS[2], unpack(keys))
  redis.call('ZREM', KEYS[3], unpack(keys))
  redis.call('HSET', KEYS[7], unpack(times))
  redis.call('ZADD', KEYS[8], unpack(ages))
  redis.call('ZADD', KEYS[6], unpack(feed))
end)
at = last + 1

last = stop(tonumber(ARGV[12]), 2)
each(at, last, 2000, function(from, to)
  if redis.call('HSET', KEYS[4], unpack(ARGV, from, to)) > 0 then
    local index = {}
    for i = from, to, 2 do
      index[#index + 1] = 0
      index[#index + 1] = ARGV[i]
    end
    redis.call('ZADD', KEYS[5], unpack(index))
  end
end)
at = last + 1

last = stop(tonumber(ARGV[13]), 1)
each(at, last, 1000, function(from, to)
  redis.call('HDEL', KEYS[4], unpack(ARGV, from, to))
  redis.call('ZREM', KEYS[5], unpack(ARGV, from, to))
end)

if ARGV[15] == '1' and ARGV[4] ~= '0' then expired = string.format('%.0f', tonumber(ARGV[4]) - 1) end
redis.call('HSET', KEYS[1], stream, ARGV[4] .. ' ' .. ARGV[2] .. ' ' .. time .. ' ' .. expired .. ' ' .. ARGV[14] .. ' ' .. reset)

local old = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', ARGV[8], 'LIMIT', 0, 100)
if #old > 0 then
  local streams = redis.call('HGETALL', KEYS[1])
  for i = 1, #streams, 2 do
    local feed = ARGV[9] .. 'f:' .. streams[i]
    local next_, e, t, f, rest = string.match(streams[i + 1], '^(%S+) (%S+) (%S+) (%S+)(.*)$')
    local before = f
    for _, key in ipairs(old) do
      local score = redis.call('ZSCORE', feed, key)
      if score then
        redis.call('ZREM', feed, key)
        if f == '-' or less(f, score) then f = score end
      end
    end
    if f ~= before then redis.call('HSET', KEYS[1], streams[i], next_ .. ' ' .. e .. ' ' .. t .. ' ' .. f .. rest) end
  end
  redis.call('HDEL', KEYS[7], unpack(old))
  redis.call('ZREM', KEYS[8], unpack(old))
end
return false
`,
  true,
);

/** Entries and progress in one step. KEYS: o, hash. ARGV: keys. Returns {progress pairs, value or nil of each key}. */
export const READ = script(
  `${SLICES}
local values = {}
each(1, #ARGV, 4000, function(from, to)
  local some = redis.call('HMGET', KEYS[2], unpack(ARGV, from, to))
  for i = 1, #some do values[from + i - 1] = some[i] end
end)
return {redis.call('HGETALL', KEYS[1]), values}
`,
  false,
);

/** One page in key order. KEYS: o, hash, sorted set of its keys. ARGV: min, max, limit. Returns {progress pairs, keys (limit + 1 of them when more follow), values}. */
export const SCAN = script(
  `${SLICES}
local limit = tonumber(ARGV[3])
local keys = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[1], ARGV[2], 'LIMIT', 0, limit + 1)
local values = {}
each(1, math.min(limit, #keys), 4000, function(from, to)
  local some = redis.call('HMGET', KEYS[2], unpack(keys, from, to))
  for i = 1, #some do values[from + i - 1] = some[i] end
end)
return {redis.call('HGETALL', KEYS[1]), keys, values}
`,
  false,
);

/**
 * One page of the change feed. KEYS: o, e, feed, d. ARGV: after, limit.
 * Returns {progress pairs, key and offset pairs, values, append times of tombstones, 1 when more follow}.
 * A page that would end between two keys of one offset is extended to the last key of that offset.
 */
export const CHANGES = script(
  `${SLICES}
local limit = tonumber(ARGV[2])
local rows = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local more = 0
if #rows == limit * 2 then
  local last = rows[#rows]
  local tied = redis.call('ZRANGEBYSCORE', KEYS[3], last, last)
  local have = 0
  while have < limit and rows[#rows - have * 2] == last do have = have + 1 end
  for i = have + 1, #tied do
    rows[#rows + 1] = tied[i]
    rows[#rows + 1] = last
  end
  more = redis.call('ZCOUNT', KEYS[3], '(' .. last, '+inf')
  if more > 0 then more = 1 end
end
local keys, values, deleted = {}, {}, {}
for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
each(1, #keys, 4000, function(from, to)
  local some = redis.call('HMGET', KEYS[2], unpack(keys, from, to))
  local gone = redis.call('HMGET', KEYS[4], unpack(keys, from, to))
  for i = 1, #some do
    values[from + i - 1] = some[i]
    deleted[from + i - 1] = gone[i]
  end
end)
return {redis.call('HGETALL', KEYS[1]), rows, values, deleted, more}
`,
  false,
);

/** Drops a view partition. KEYS: o and the other fixed keys. ARGV: key base. UNLINK hides the keys from readers at once and frees the memory in the background. */
export const DROP = script(
  `
for _, stream in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('UNLINK', ARGV[1] .. 'f:' .. stream) end
return redis.call('UNLINK', unpack(KEYS))
`,
  false,
);

/**
 * Empties a view partition and begins checkpoints anew, if the checkpoint is still the one that was found. KEYS: o and the other fixed keys. ARGV: key base,
 * stream, next and proof of the found checkpoint ('-': none), then rows of (stream, checkpoint). Returns 1 when it was done.
 */
export const RESET = script(
  `
local row = redis.call('HGET', KEYS[1], ARGV[2])
local next_, rest = '-', ''
if row then next_, rest = string.match(row, '^(%S+) %S+ %S+ %S+(.*)$') end
if next_ ~= ARGV[3] or (string.match(rest, '^ (%S+)') or '-') ~= ARGV[4] then return 0 end
for _, stream in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('UNLINK', ARGV[1] .. 'f:' .. stream) end
redis.call('UNLINK', unpack(KEYS, 2))
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
`,
  true,
);

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
 * Compare-and-set in the duplicate index. KEYS: index keys. ARGV: expiry in ms, then per key the stale row and the row that takes its place. Returns per
 * key the row that the index held and keeps, or nil when the row was replaced.
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
