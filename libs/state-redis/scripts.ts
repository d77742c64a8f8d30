import { BASE, BUCKETS, FEED, LEAVES, OLD_LAYOUT, STORE } from './lua.js';
import { script } from './script.js';

/**
 * Entries and progress in one step. KEYS: hash, sorted set. ARGV: 1 for each wanted key bucket field, id, key length, space and key; 2 number of buckets for
 * which the fields were computed. Returns {progress pairs, record or nil of each, number of buckets}.
 */
export const READ = script(
  `${BASE}
local head = header()
if not head then return NOTHING end
${BUCKETS}
local wanted, known = ARGV[1], tonumber(ARGV[2]) == head.b
local marks, fields, found = {}, {}, {}
local at = 1
while at <= #wanted do
  local k1, k2, k3 = byte(wanted, at + 10, at + 12)
  local stop = at + 12 + (k1 * 128 + k2) * 128 + k3
  local name = sub(wanted, at + 5, stop)
  marks[#marks + 1] = '\\255' .. name
  fields[#fields + 1] = known and sub(wanted, at, at + 4) or field_of(sub(name, 1, 5))
  at = stop + 1
end
load(fields)
for i = 1, #marks do
  local b = cur[fields[i]]
  local q = find(b, marks[i], 1, true)
  found[i] = false
  if q then
    local l1, l2, l3, l4, _, flags = byte(b, q - 21, q - 16)
    if flags % 2 == 0 then found[i] = sub(b, q - 21, q - 22 + ((l1 * 128 + l2) * 128 + l3) * 128 + l4) end
  end
end
return {progress(), found, head.b}
`,
  false,
);

/**
 * Records of one page. KEYS: hash, sorted set. ARGV: 1 key (with space) that the page begins after, or '', 2 key that lies in the first leaf, 3 the end of
 * ZRANGEBYLEX, 4 prefix (with space), 5 number of records wanted. Returns {progress pairs, records}: all that match of the keys
 * that are not in leaves yet, and of each leaf in turn, at least the wanted number unless there are no more; unsorted.
 */
export const SCAN = script(
  `${BASE}
local head = header()
if not head or head.l == 0 then return {head and progress() or {}, {}} end
${BUCKETS}${LEAVES}
local after, prefix, wanted = ARGV[1], ARGV[4], tonumber(ARGV[5])
local records, count = {}, 0
-- Keys that are not in their leaves yet. They may lie beyond the page, so they do not count.
local list, listed = call('HGET', H, 'n') or '', {}
local at = 1
while at <= #list do
  local stop = at + 8 + number3(list, at + 6)
  local key = sub(list, at + 9, stop)
  if not listed[key] and sub(key, 1, #prefix) == prefix and less_bytes(after, key) then
    local name = '\\255' .. sub(list, at + 1, stop)
    local b = cur[bucket_of(sub(name, 2, 6))]
    local q = find(b, name, 1, true)
    if q and byte(b, q - 16) % 2 == 0 then
      listed[key] = true
      records[#records + 1] = sub(b, q - 21, q - 22 + number4(b, q - 21))
    end
  end
  at = stop + 1
end
local from = '[' .. bound_of(ARGV[2])
while count < wanted do
  local bounds = call('ZRANGEBYLEX', K, from, ARGV[3], 'LIMIT', 0, 8)
  if #bounds == 0 then break end
  for _, bound in ipairs(bounds) do
    each_in_leaf(bound, call('HGET', H, 'l' .. bound) or '', function(key, id, b, at, len)
      if sub(key, 1, #prefix) == prefix and not listed[key] and less_bytes(after, key) then
        records[#records + 1] = sub(b, at, at + len - 1)
        count = count + 1
      end
    end)
    if count >= wanted then break end
    from = '(' .. bound
  end
end
return {progress(), records}
`,
  false,
);

/**
 * A stretch of the change feed. KEYS: hash, sorted set. ARGV: 1 stream, 2 after, 3 number of changes wanted, 4 number of feed records to look at most.
 * Returns {progress pairs, changed records, more, offset of the last feed record looked at}. `more`: 0 at the end, 1 when a change follows, 2 when the records
 * to look at were used up. A stretch never ends between two records of one offset.
 */
export const CHANGES = script(
  `${BASE}
local head = header()
if not head then return NOTHING end
local row = call('HGET', H, 'o' .. ARGV[1])
if not row then return {progress(), {}, 0, ARGV[2]} end
local S = tonumber(string.match(row, '^%S+'))
${BUCKETS}${FEED}
local directory = call('HGET', H, feed_key('F', S)) or ''
local after, wanted, look = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local low, high = 0, #directory / 12
while high - low > 1 do
  local middle = math.floor((low + high) / 2)
  if unpack_('>I8', directory, middle * 12 + 1) <= after then low = middle else high = middle end
end
local changes, last, more = {}, nil, 0
local function look_at(offset, id)
  if offset ~= last and look <= 0 then return 2 end
  local b = cur[bucket_of(id)]
  local found = {}
  each_of(b, id, function(from, len)
    if is_changed_at(b, from, len, S, offset) then found[#found + 1] = sub(b, from, from + len - 1) end
  end)
  if #found > 0 and offset ~= last and #changes >= wanted then return 1 end
  for i = 1, #found do changes[#changes + 1] = found[i] end
  last = offset
  look = look - 1
  return 0
end
for i = low, #directory / 12 - 1 do
  local base, n = unpack_('>I8I4', directory, i * 12 + 1)
  local segment = call('HGET', H, segment_key(S, n))
  for at = 9, #segment, 9 do
    local offset = base + unpack_('>I4', segment, at)
    if offset > after then more = look_at(offset, sub(segment, at + 4, at + 8)) end
    if more > 0 then break end
  end
  if more > 0 then break end
end
return {progress(), changes, more, last and string.format('%.0f', last) or ARGV[2]}
`,
  false,
);

/** Checkpoints. KEYS: hash, sorted set, keys of the old layout. ARGV: streams. Returns the rows, or nil. */
export const POSITIONS = script(
  `${BASE}
local rows = {}
if header() then
  each(1, #ARGV, 4000, function(from, to)
    local fields = {}
    for i = from, to do fields[#fields + 1] = 'o' .. ARGV[i] end
    local some = call('HMGET', H, unpack(fields))
    for i = 1, #some do rows[from + i - 1] = some[i] end
  end)
elseif call('EXISTS', H) == 0 and call('EXISTS', KEYS[4], KEYS[6]) == 0 then
  -- The duplicate index in the old layout: its first commit takes the checkpoints over.
  for i, stream in ipairs(ARGV) do
    local row = call('HGET', KEYS[3], stream)
    rows[i] = row and '0 ' .. row
  end
else
  for i = 1, #ARGV do rows[i] = false end
end
return rows
`,
  false,
);

/**
 * Empties a view partition in one step, when its checkpoint of a stream is still the one that was found. KEYS: hash, sorted set, keys of the old layout.
 * ARGV: key base of the old layout, stream, next or '-' for no checkpoint, proof or '-', then (stream, stored text without its number) of each checkpoint that
 * begins anew. Returns 1 when done.
 */
export const RESET = script(
  `${BASE}${STORE}${OLD_LAYOUT}
if not header() and call('EXISTS', H) == 0 then leave_old_layout(ARGV[1]) end
local known = header()
local row = known and call('HGET', H, 'o' .. ARGV[2])
local next_, rest = '-', ''
if row then next_, rest = string.match(row, '^%S+ (%S+) %S+ %S+ %S+(.*)$') end
if next_ ~= ARGV[3] or (string.match(rest, '^ (%S+)') or '-') ~= ARGV[4] then return 0 end
local rows, order = {}, {}
local old = known and progress() or {}
for i = 1, #old, 2 do
  order[#order + 1] = old[i]
  rows[old[i]] = string.match(old[i + 1], '^%S+ (.*)$')
end
for i = 5, #ARGV, 2 do
  if not rows[ARGV[i]] then order[#order + 1] = ARGV[i] end
  rows[ARGV[i]] = ARGV[i + 1]
end
call('UNLINK', H, K)
local head = fresh()
for i, stream in ipairs(order) do
  local epoch = string.match(rows[stream], '^%S+ (%S+)')
  if less(head.e, epoch) then head.e = epoch end
  call('HSET', H, 'o' .. stream, (i - 1) .. ' ' .. rows[stream])
end
call('HSET', H, 's', cmsgpack.pack(order))
store(head)
return 1
`,
  true,
);

/** Drops a view partition. KEYS: hash, sorted set, keys of the old layout. ARGV: key base of the old layout. UNLINK hides the keys from readers at once and frees the memory in the background. */
export const DROP = script(
  `
local feeds = redis.pcall('HKEYS', KEYS[3])
if not feeds.err then
  for _, stream in ipairs(feeds) do redis.call('UNLINK', ARGV[1] .. 'f:' .. stream) end
end
return redis.call('UNLINK', unpack(KEYS))
`,
  false,
);

/**
 * Moves a view partition whose keys hold what this room has not written out of the way: it is absent afterwards, and so is folded again. KEYS: hash, sorted
 * set, keys of the old layout, and the two keys under which the first two stay. ARGV: key base of the old layout, how long they stay in ms.
 */
export const SET_ASIDE = script(
  `
local feeds = redis.pcall('HKEYS', KEYS[3])
if not feeds.err then
  for _, stream in ipairs(feeds) do redis.call('UNLINK', ARGV[1] .. 'f:' .. stream) end
end
for i = 1, 2 do
  local aside = KEYS[#KEYS - 2 + i]
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('RENAME', KEYS[i], aside)
    redis.call('PEXPIRE', aside, ARGV[2])
  end
end
for i = 3, #KEYS - 2 do redis.call('UNLINK', KEYS[i]) end
return 1
`,
  false,
);
