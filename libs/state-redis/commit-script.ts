import { BASE, BUCKETS, FEED, OLD_LAYOUT, STORE } from './lua.js';
import { BUCKET_BYTES, FEED_SLACK, FORESEEN_COMMITS, script } from './script.js';

/**
 * One commit (R5.6): checks first, then values, progress last, then up to 100 expired tombstones. A server that is out of memory or a read-only replica
 * refuses the first write of a script, never a later one, so no commit is partial.
 * KEYS: hash, sorted set, keys of the old layout. ARGV: 1 stream, 2 epoch, 3 from, 4 next, 5 low, 6 append time or '', 7 tombstones written at or before
 * this time expire, 8 proof or '-', 9 1 for feedGap, 10 records to put (bucket field and record, stream number 0), 11 names of each `part` to remove (id, key
 * length, space and key), 12 segment of the change feed or '', 13 key base of the old layout, 14 number of buckets for which the fields were computed.
 * A checkpoint is stored as "number next epoch time expired proof reset": `expired` is the greatest offset of an expired tombstone, or "-"; `proof` is a text
 * or "-"; `reset` is "atMs:until" or "-". A change of entries must have the greatest epoch of all streams, because one entry may come from several.
 * Returns {1, expected, epoch, old layout left} when refused, {0, number of buckets, old layout left, 1 when GROW is needed, 1 when COMPACT is needed, bytes
 * of the list of keys that are not in their leaves (0 when this commit added none)}.
 */
export const COMMIT = script(
  `${BASE}${STORE}${OLD_LAYOUT}
local stream = ARGV[1]
local head = header()
local moved = 0
if not head then
  -- What is left of a partition of which keys or fields are missing. Where nothing is left, nothing is written before the checks.
  if call('EXISTS', H, K) > 0 then call('UNLINK', H, K) end
  head, moved = leave_old_layout(ARGV[13])
  head = head or fresh()
end
local puts, removals, segment = ARGV[10], ARGV[11], ARGV[12]
local row = call('HGET', H, 'o' .. stream)
local S, expected, epoch, time, expired, reset = nil, ARGV[5], '0', '0', '-', '-'
if row then
  local rest
  S, expected, epoch, time, expired, rest = string.match(row, '^(%S+) (%S+) (%S+) (%S+) (%S+)(.*)$')
  reset = string.match(rest, '^ %S+ (%S+)$') or '-'
  S = tonumber(S)
end
if (#puts > 0 or #removals > 0 or head.n > 0) and less(epoch, head.e) then epoch = head.e end
if less(ARGV[2], epoch) or ARGV[3] ~= expected then return {1, expected, epoch, moved} end
if ARGV[6] ~= '' then time = ARGV[6] end
if less(head.e, ARGV[2]) then head.e = ARGV[2] end
if not S then
  local streams = names()
  S = #streams
  streams[S + 1] = stream
  call('HSET', H, 's', cmsgpack.pack(streams))
end
-- The first write is one that a server out of memory refuses.
local function store_row()
  call('HSET', H, 'o' .. stream, table.concat({S, ARGV[4], ARGV[2], time, expired, ARGV[8], reset}, ' '))
end
store_row()
local too_many, waiting = 0, 0
${BUCKETS}${FEED}
local dirty, keys_changed, buried = {}, {}, {}

if head.n == 0 and #puts > ${BUCKET_BYTES} then
  -- A first commit that is large is mostly followed by others.
  head.b = math.ceil(#puts / ${BUCKET_BYTES}) * (#puts > 100 * ${BUCKET_BYTES} and ${FORESEEN_COMMITS} or 1)
  while head.p * 2 <= head.b do head.p = head.p * 2 end
end
if #puts > 0 then
  local stream_byte = string.char(S)
  local known = tonumber(ARGV[14]) == head.b
  local recs, fields, count = {}, {}, 0
  local at = 1
  while at <= #puts do
    local l1, l2, l3, l4 = byte(puts, at + 5, at + 8)
    local stop = at + 4 + ((l1 * 128 + l2) * 128 + l3) * 128 + l4
    count = count + 1
    recs[count] = sub(puts, at + 5, stop)
    fields[count] = known and sub(puts, at, at + 4) or field_of(sub(puts, at + 27, at + 31))
    at = stop + 1
  end
  load(fields)
  local n, y = head.n, head.y
  for i = 1, count do
    local rec, field = recs[i], fields[i]
    local b = cur[field]
    local k1, k2, k3 = byte(rec, 28, 30)
    local name = sub(rec, 22, 30 + (k1 * 128 + k2) * 128 + k3)
    local dead = byte(rec, 6) == 1
    if S > 0 then rec = sub(rec, 1, 4) .. stream_byte .. sub(rec, 6) end
    local q = find(b, name, 1, true)
    if q then
      local l1, l2, l3, l4, before, flags = byte(b, q - 21, q - 16)
      local len = ((l1 * 128 + l2) * 128 + l3) * 128 + l4
      if (flags > 1 or before ~= S) and byte(name, 10) == 101 then
        -- Streams that changed this entry before keep its place in their feeds.
        local others = before == S and {} or {sub(b, q - 17, q - 17) .. sub(b, q - 9, q - 1)}
        for j = q - 21 + len - 10 * math.floor(flags / 2), q - 31 + len, 10 do
          if byte(b, j) ~= S then others[#others + 1] = sub(b, j, j + 9) end
        end
        local size = #rec + 10 * #others
        rec = string.char(math.floor(size / 2097152), math.floor(size / 16384) % 128, math.floor(size / 128) % 128, size % 128)
          .. stream_byte .. string.char(#others * 2 + byte(rec, 6)) .. sub(rec, 7) .. table.concat(others)
      end
      cur[field] = len == #b and rec or sub(b, 1, q - 22) .. rec .. sub(b, q - 21 + len)
      y = y + #rec - len
      if dead ~= (flags % 2 == 1) then keys_changed[#keys_changed + 1] = (dead and '-' or '+') .. sub(name, 2) end
    else
      cur[field] = b .. rec
      y = y + #rec
      n = n + 1
      if not dead then keys_changed[#keys_changed + 1] = '+' .. sub(name, 2) end
    end
    if dead then buried[#buried + 1] = sub(recs[i], -6) .. sub(name, 2, 6) end
  end
  head.n, head.y = n, y
  local set = {}
  for i = 1, count do
    set[i * 2 - 1] = fields[i]
    set[i * 2] = cur[fields[i]]
  end
  each(1, count * 2, 4000, function(from, to) call('HSET', H, unpack(set, from, to)) end)
end
do
  local at = 1
  while at <= #removals do
    local stop = at + 7 + number3(removals, at + 5)
    local name = '\\255' .. sub(removals, at, stop)
    local field = bucket_of(sub(name, 2, 6))
    local b = cur[field]
    local q = find(b, name, 1, true)
    if q then
      local len = number4(b, q - 21)
      cur[field] = sub(b, 1, q - 22) .. sub(b, q - 21 + len)
      head.y = head.y - len
      head.n = head.n - 1
      keys_changed[#keys_changed + 1] = '-' .. sub(name, 2)
      dirty[field] = true
    end
    at = stop + 1
  end
end

if #keys_changed > 0 then
  if head.l == 0 then call('ZADD', K, 0, '') end
  local list = (call('HGET', H, 'n') or '') .. table.concat(keys_changed)
  call('HSET', H, 'n', list)
  waiting = #list
end

if #segment > 0 and ARGV[9] ~= '1' then
  local g = call('HGET', H, feed_key('g', S))
  g = g and cmsgpack.unpack(g) or {c = 0, e = -1, x = 0, u = 0, a = 0}
  local first = unpack_('>I8', segment)
  local last = first + unpack_('>I4', segment, #segment - 8)
  if g.c > 0 and first <= g.e then
    -- Offsets came out of order, as while a partition is filled from a snapshot: readers from before begin again with a scan.
    local directory = call('HGET', H, feed_key('F', S))
    for i = 1, #directory, 12 do call('HDEL', H, segment_key(S, unpack_('>I4', directory, i + 8))) end
    call('HDEL', H, feed_key('F', S))
    local e = string.format('%.0f', math.max(g.e, last))
    if expired == '-' or less(expired, e) then expired = e end
    g.c = 0
  end
  local count = (#segment - 8) / 9
  if g.c == 0 or count >= 128 or g.u >= 4096 or last - g.a >= 4294967296 then
    call('HSET', H, segment_key(S, g.x), segment)
    call('HSET', H, feed_key('F', S), (call('HGET', H, feed_key('F', S)) or '') .. pack('>I8I4', first, g.x))
    g.x = g.x + 1
    g.a = first
    g.u = #segment
  else
    local parts = {call('HGET', H, segment_key(S, g.x - 1))}
    for i = 9, #segment, 9 do parts[#parts + 1] = pack('>I4', unpack_('>I4', segment, i) + first - g.a) .. sub(segment, i + 4, i + 8) end
    local text = table.concat(parts)
    call('HSET', H, segment_key(S, g.x - 1), text)
    g.u = #text
  end
  g.c = g.c + count
  g.e = last
  call('HSET', H, feed_key('g', S), cmsgpack.pack(g))
  if g.c > 3 * head.n + ${FEED_SLACK} then too_many = 1 end
end
if ARGV[9] == '1' then
  local before = string.format('%.0f', tonumber(ARGV[4]) - 1)
  if expired == '-' or less(expired, before) then expired = before end
end

if #buried > 0 then
  local text = table.concat(buried)
  if head.du >= 4096 then
    head.dt = head.dt + 1
    head.du = 0
  end
  local all = (head.du > 0 and call('HGET', H, 'd' .. pack('>I4', head.dt)) or '') .. text
  call('HSET', H, 'd' .. pack('>I4', head.dt), all)
  head.du = #all
end
local expiring = 100
local until_ = tonumber(ARGV[7])
local forgotten = {}
local function forget(other, offset)
  if offset > (forgotten[other] or -1) then forgotten[other] = offset end
end
while expiring > 0 and (head.dh < head.dt or head.dp < head.du) do
  local queue = call('HGET', H, 'd' .. pack('>I4', head.dh))
  while expiring > 0 and head.dp < #queue and number6(queue, head.dp + 1) <= until_ do
    local id = sub(queue, head.dp + 7, head.dp + 11)
    local field = bucket_of(id)
    local b = cur[field]
    local from, kept = 1, {}
    each_of(b, id, function(at, len)
      local written = at + len - 10 * math.floor(byte(b, at + 5) / 2) - 6
      if not is_tombstone(b, at) or number6(b, written) > until_ then return end
      each_stream(b, at, len, forget)
      kept[#kept + 1] = sub(b, from, at - 1)
      from = at + len
      head.n = head.n - 1
      head.y = head.y - len
      dirty[field] = true
    end)
    cur[field] = table.concat(kept) .. sub(b, from)
    head.dp = head.dp + 11
    expiring = expiring - 1
  end
  if head.dp < #queue then break end
  call('HDEL', H, 'd' .. pack('>I4', head.dh))
  head.dp = 0
  if head.dh == head.dt then head.du = 0 else head.dh = head.dh + 1 end
end
if next(forgotten) then
  local streams = names()
  for other, offset in pairs(forgotten) do
    local e = string.format('%.0f', offset)
    if other == S then
      if expired == '-' or less(expired, e) then expired = e end
    else
      local a, f, c = string.match(call('HGET', H, 'o' .. streams[other + 1]), '^(%S+ %S+ %S+ %S+) (%S+)(.*)$')
      if f == '-' or less(f, e) then call('HSET', H, 'o' .. streams[other + 1], a .. ' ' .. e .. c) end
    end
  end
end

local set = {}
for field in pairs(dirty) do
  if #cur[field] > 0 then
    set[#set + 1] = field
    set[#set + 1] = cur[field]
  else call('HDEL', H, field) end
end
each(1, #set, 4000, function(from, to) call('HSET', H, unpack(set, from, to)) end)
store_row()
store(head)
return {0, head.b, moved, head.y > 1.25 * head.b * ${BUCKET_BYTES} and head.b < head.n and 1 or 0, too_many, waiting}
`,
  true,
);
