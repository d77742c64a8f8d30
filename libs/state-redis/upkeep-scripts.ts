import { BASE, BUCKETS, FEED, LEAVES, STORE } from './lua.js';
import { BUCKET_BYTES, LEAF_IDS, script } from './script.js';

/** Splits up to ARGV[1] buckets, while they hold too many bytes on average. KEYS: hash, sorted set. Returns {number of buckets, 1 when more is to be done}. */
export const GROW = script(
  `${BASE}
local head = header()
if not head then return {0, 0} end
${STORE}${BUCKETS}
local function is_full() return head.y > head.b * ${BUCKET_BYTES} and head.b < head.n end
local steps = math.min(tonumber(ARGV[1]), head.n - head.b)
local fields = {}
for i = 1, steps do fields[i] = bucket_field(head.b + i - 1 - (head.b + i - 1 >= head.p * 2 and head.p * 2 or head.p)) end
load(fields)
local done = 0
while done < steps and is_full() do
  local to = head.b
  local from = bucket_field(to - head.p)
  local b = cur[from] or call('HGET', H, from) or ''
  local stay, move = {}, {}
  local at = 1
  while at <= #b do
    local l1, l2, l3, l4 = byte(b, at, at + 3)
    local len = ((l1 * 128 + l2) * 128 + l3) * 128 + l4
    local list = hash_of(sub(b, at + 22, at + 26)) % (head.p * 2) == to and move or stay
    list[#list + 1] = sub(b, at, at + len - 1)
    at = at + len
  end
  if #move > 0 then
    cur[from], cur[bucket_field(to)] = table.concat(stay), table.concat(move)
  end
  head.b = to + 1
  if head.b == head.p * 2 then head.p = head.b end
  done = done + 1
end
local set = {}
for field, b in pairs(cur) do
  if #b > 0 then
    set[#set + 1] = field
    set[#set + 1] = b
  else call('HDEL', H, field) end
end
each(1, #set, 4000, function(from, to) call('HSET', H, unpack(set, from, to)) end)
store(head)
return {head.b, is_full() and 1 or 0}
`,
  true,
);

/** The list of changed keys, while no key is in a leaf yet; else ''. KEYS: hash, sorted set. */
export const LISTED = script(
  `${BASE}
local head = header()
if not head or head.l ~= 1 or #(call('HGET', H, 'l') or '') > 0 then return '' end
return call('HGET', H, 'n') or ''
`,
  false,
);

/** Writes the first leaves. KEYS: hash, sorted set. ARGV: the list of changed keys that was found, then bound and ids of each leaf. Returns 1 when done. */
export const BUILD = script(
  `${BASE}${STORE}
local head = header()
if not head or head.l ~= 1 or #(call('HGET', H, 'l') or '') > 0 or call('HGET', H, 'n') ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 2 do
  call('HSET', H, 'l' .. ARGV[i], ARGV[i + 1])
  call('ZADD', K, 0, ARGV[i])
end
call('HDEL', H, 'n')
store(head)
return 1
`,
  true,
);

/**
 * Brings up to ARGV[1] keys that came or went from the list of changed keys into their leaves. KEYS: hash, sorted set. Returns {1 when more are in the list,
 * bounds of the leaves that are too large}.
 */
export const MERGE = script(
  `${BASE}
local head = header()
local list = head and call('HGET', H, 'n')
if not list then return {0, {}} end
${STORE}${BUCKETS}${LEAVES}
local bound, above
-- Keys mostly come in order; where there are few leaves, the leaf of one is often that of the next.
local few = head.l < 2 * tonumber(ARGV[1])
local function seek(key)
  if bound and few and not less_bytes(key, bound) and (not above or less_bytes(key, above)) then return end
  bound = bound_of(key)
  if few then above = call('ZRANGEBYLEX', K, '(' .. bound, '+', 'LIMIT', 0, 1)[1] end
end
local changes, bounds, fields = {}, {}, {}
local at, steps = 1, tonumber(ARGV[1])
while at <= #list and steps > 0 do
  local stop = at + 8 + number3(list, at + 6)
  seek(sub(list, at + 9, stop))
  local mine = changes[bound]
  if not mine then
    mine = {}
    changes[bound] = mine
    bounds[#bounds + 1] = bound
    fields[#fields + 1] = 'l' .. bound
  end
  mine[#mine + 1] = sub(list, at, at + 5)
  at = stop + 1
  steps = steps - 1
end
local leaves, set, too_large = get_all(fields), {}, {}
for i = 1, #bounds do
  local ids = leaves[i] or ''
  for _, change in ipairs(changes[bounds[i]]) do
    local id = sub(change, 2)
    if byte(change) == 43 then ids = ids .. id
    else
      local from = find(ids, id, 1, true)
      while from and from % 5 ~= 1 do from = find(ids, id, from + 1, true) end
      if from then ids = sub(ids, 1, from - 1) .. sub(ids, from + 5) end
    end
  end
  if #ids == 0 and bounds[i] ~= '' then
    call('HDEL', H, fields[i])
    call('ZREM', K, bounds[i])
  else
    set[#set + 1] = fields[i]
    set[#set + 1] = ids
    if #ids > 5 * ${LEAF_IDS} then too_large[#too_large + 1] = bounds[i] end
  end
end
each(1, #set, 4000, function(from, to) call('HSET', H, unpack(set, from, to)) end)
if at > #list then call('HDEL', H, 'n') else call('HSET', H, 'n', sub(list, at)) end
store(head)
return {at <= #list and 1 or 0, too_large}
`,
  true,
);

/** The ids of a leaf, and then id and key (with space) of each of its keys. KEYS: hash, sorted set. ARGV: bound. */
export const LEAF = script(
  `${BASE}
local head = header()
local ids = head and call('HGET', H, 'l' .. ARGV[1])
if not ids then return {} end
${BUCKETS}${LEAVES}
local answer = {ids}
each_in_leaf(ARGV[1], ids, function(key, id)
  answer[#answer + 1] = id
  answer[#answer + 1] = key
end)
return answer
`,
  false,
);

/** Divides a leaf, when it still has the ids that were found. KEYS: hash, sorted set. ARGV: bound, ids as found, then bound and ids of each part. Returns 1 when done. */
export const DIVIDE = script(
  `${BASE}${STORE}
local head = header()
if not head or call('HGET', H, 'l' .. ARGV[1]) ~= ARGV[2] then return 0 end
for i = 3, #ARGV, 2 do
  call('HSET', H, 'l' .. ARGV[i], ARGV[i + 1])
  call('ZADD', K, 0, ARGV[i])
end
store(head)
return 1
`,
  true,
);

/**
 * Removes records of a change feed whose key the stream changed again: about a thousand records, of whole segments, which become one. KEYS: hash, sorted set.
 * ARGV: 1 stream, 2 offset. Begins with the first segment at or after the offset; the last segment stays. Returns the offset to go on from, '' at the end.
 */
export const COMPACT = script(
  `${BASE}
local head = header()
local row = head and call('HGET', H, 'o' .. ARGV[1])
if not row then return '' end
local S = tonumber(string.match(row, '^%S+'))
${BUCKETS}${FEED}${STORE}
local directory = call('HGET', H, feed_key('F', S)) or ''
local from, at = tonumber(ARGV[2]), 1
while at + 12 <= #directory and unpack_('>I8', directory, at) < from do at = at + 12 end
local kept, numbers, seen, stop = {}, {}, 0, at
local first
while stop + 12 <= #directory and seen < 1000 do
  local base, n = unpack_('>I8I4', directory, stop)
  local segment = call('HGET', H, segment_key(S, n))
  local last = base + unpack_('>I4', segment, #segment - 8)
  if first and last - first >= 4294967296 then break end
  numbers[#numbers + 1] = n
  local ids, fields = {}, {}
  for i = 9, #segment, 9 do
    ids[#ids + 1] = sub(segment, i + 4, i + 8)
    fields[#fields + 1] = field_of(ids[#ids])
  end
  load(fields)
  for i = 1, #ids do
    local offset, id, b = base + unpack_('>I4', segment, i * 9), ids[i], cur[fields[i]]
    local mark, valid = '\\255' .. id, false
    local q = find(b, mark, 1, true)
    while q and not valid do
      valid = is_changed_at(b, q - 21, number4(b, q - 21), S, offset)
      q = find(b, mark, q + 1, true)
    end
    if valid then
      first = first or offset
      kept[#kept + 1] = pack('>I4', offset - first) .. id
    end
  end
  seen = seen + #ids
  stop = stop + 12
end
if #numbers == 0 then return '' end
local next_ = unpack_('>I8', directory, stop)
if #kept < seen or #numbers > 1 then
  for _, n in ipairs(numbers) do call('HDEL', H, segment_key(S, n)) end
  local entry = ''
  if first then
    call('HSET', H, segment_key(S, numbers[1]), pack('>I8', first) .. table.concat(kept))
    entry = pack('>I8I4', first, numbers[1])
  end
  call('HSET', H, feed_key('F', S), sub(directory, 1, at - 1) .. entry .. sub(directory, stop))
  local g = cmsgpack.unpack(call('HGET', H, feed_key('g', S)))
  g.c = g.c - seen + #kept
  call('HSET', H, feed_key('g', S), cmsgpack.pack(g))
  store(head)
end
return string.format('%.0f', next_)
`,
  true,
);
