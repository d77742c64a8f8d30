// Parts of the scripts over a view partition. KEYS[1] is its hash, KEYS[2] the sorted set of the bounds of its leaves; see README.md for the layout.

/** Parsing, the header, and the checkpoints. Lua compares texts by the locale of the server, so bytes are compared by less_bytes(). */
export const BASE = `
local H, K = KEYS[1], KEYS[2]
local call, sub, byte, pack, unpack_ = redis.call, string.sub, string.byte, struct.pack, struct.unpack

-- unpack() of Lua accepts about 8,000 values, so long lists are handled in slices.
local function each(from, to, size, run)
  while from <= to do
    local last = math.min(from + size - 1, to)
    run(from, last)
    from = last + 1
  end
end

local function get_all(fields)
  local values = {}
  each(1, #fields, 4000, function(from, to)
    local some = call('HMGET', H, unpack(fields, from, to))
    for i = 1, #some do values[from + i - 1] = some[i] end
  end)
  return values
end

-- Decimal texts as numbers of any size.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- false: nothing is stored, or a key or a field of the partition is missing.
local function header()
  local text = call('HGET', H, 'h')
  if not text then return false end
  local head = cmsgpack.unpack(text)
  if head.f ~= call('HLEN', H) or head.l ~= call('ZCARD', K) then return false end
  return head
end

local function names()
  local text = call('HGET', H, 's')
  return text and cmsgpack.unpack(text) or {}
end

local function progress()
  local streams, fields, all = names(), {}, {}
  for i = 1, #streams do fields[i] = 'o' .. streams[i] end
  local rows = get_all(fields)
  for i = 1, #streams do
    all[i * 2 - 1] = streams[i]
    all[i * 2] = rows[i]
  end
  return all
end

-- Without progress, a reader takes the partition for one that was never filled.
local NOTHING = {{}, {}, 0, ''}
`;

/**
 * Records in buckets (linear hashing by the id of the key). A record is: length (4), stream number (1), flags (1: bit 0 tombstone, then the number of other
 * streams), append time (6), offset (9), byte 255, id (5), length of the key (3), space and key, value, and 10 bytes for each other stream: number, offset.
 * Numbers have 7 bits in a byte, and UTF-8 has no byte 255: so 255 occurs nowhere else, and a plain search for it with id and key finds exactly the record.
 */
export const BUCKETS = `
local find = string.find
local cur = {}

local function number3(text, at)
  local a, b, c = byte(text, at, at + 2)
  return (a * 128 + b) * 128 + c
end

local function number4(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 128 + b) * 128 + c) * 128 + d
end

local function number6(text, at) return number3(text, at) * 2097152 + number3(text, at + 3) end

local function number9(text, at)
  return (number3(text, at) * 2097152 + number3(text, at + 3)) * 2097152 + number3(text, at + 6)
end

local function hash_of(id)
  local a, b, c, d, e = byte(id, 1, 5)
  return (((a * 128 + b) * 128 + c) * 128 + d) * 128 + e
end

local function bucket_field(n) return 'b' .. pack('>I4', n) end

local function field_of(id)
  local n = hash_of(id) % (head.p * 2)
  if n >= head.b then n = n - head.p end
  return bucket_field(n)
end

local function load(fields)
  local values = get_all(fields)
  for i = 1, #fields do
    local b = values[i] or ''
    -- Byte 22 of a record marks its name: without it the bucket was written by somebody else, and its keys would look absent.
    if #b > 0 and byte(b, 22) ~= 255 then error('damaged bucket') end
    cur[fields[i]] = b
  end
end

-- The field of the bucket of an id; the bucket is loaded.
local function bucket_of(id)
  local field = field_of(id)
  if not cur[field] then load({field}) end
  return field
end

-- Calls run(at, length) for each record with this id.
local function each_of(b, id, run)
  local mark = '\\255' .. id
  local q = find(b, mark, 1, true)
  while q do
    run(q - 21, number4(b, q - 21))
    q = find(b, mark, q + 1, true)
  end
end

local function key_of(b, at)
  return sub(b, at + 30, at + 29 + number3(b, at + 27))
end

local function is_tombstone(b, at) return byte(b, at + 5) % 2 == 1 end

-- Calls run(stream, offset) for each stream that changed this record; the offset is its newest one.
local function each_stream(b, at, len, run)
  run(byte(b, at + 4), number9(b, at + 12))
  for i = at + len - 10 * math.floor(byte(b, at + 5) / 2), at + len - 10, 10 do run(byte(b, i), number9(b, i + 1)) end
end

local function is_changed_at(b, at, len, stream, offset)
  if byte(b, at + 4) == stream then return number9(b, at + 12) == offset end
  local found = false
  each_stream(b, at, len, function(s, o) found = found or s == stream and o == offset end)
  return found
end
`;

/** Leaves: for each range of keys the ids of its keys, 5 bytes each, unsorted. A leaf is the field 'l' and its bound; the sorted set holds the bounds. */
export const LEAVES = `
local function less_bytes(a, b)
  local i = 1
  while true do
    local a1, a2, a3, a4 = byte(a, i, i + 3)
    local b1, b2, b3, b4 = byte(b, i, i + 3)
    if a1 ~= b1 then return (a1 or -1) < (b1 or -1) end
    if a2 ~= b2 then return (a2 or -1) < (b2 or -1) end
    if a3 ~= b3 then return (a3 or -1) < (b3 or -1) end
    if a4 ~= b4 then return (a4 or -1) < (b4 or -1) end
    if not a4 then return false end
    i = i + 4
  end
end

local function bound_of(key)
  return call('ZREVRANGEBYLEX', K, '[' .. key, '-', 'LIMIT', 0, 1)[1]
end

-- Calls run(key, id, bucket, at, length) for each key of a leaf. Two keys may have one id: they lie in different leaves, or the id stands twice in one.
local function each_in_leaf(bound, ids, run)
  local list, fields, done = {}, {}, {}
  for i = 1, #ids, 5 do
    local id = sub(ids, i, i + 4)
    if not done[id] then
      done[id] = true
      list[#list + 1] = id
      fields[#fields + 1] = field_of(id)
    end
  end
  load(fields)
  for i = 1, #list do
    local id = list[i]
    local mark, b = '\\255' .. id, cur[fields[i]]
    local q = find(b, mark, 1, true)
    local other = q and find(b, mark, q + 1, true)
    while q do
      if byte(b, q - 16) % 2 == 0 then
        local key = key_of(b, q - 21)
        if not other or bound_of(key) == bound then run(key, id, b, q - 21, number4(b, q - 21)) end
      end
      q = other and find(b, mark, q + 1, true)
    end
  end
end
`;

/**
 * The change feed of a stream: segments 'f' of (offset of the first record (8), then for each record the distance from it (4) and the id (5)), a directory
 * 'F' of (first offset (8), segment (4)), and 'g': count of records, last offset, next segment, size and first offset of the last segment. A record is
 * valid while its key was not changed again by the stream.
 */
export const FEED = `
local function feed_key(letter, stream) return letter .. string.char(stream) end
local function segment_key(stream, n) return feed_key('f', stream) .. pack('>I4', n) end
`;

/** Writes the header, with the counts by which header() sees what is missing. */
export const STORE = `
local function fresh() return {f = 0, l = 0, n = 0, y = 0, b = 1, p = 1, e = '0', dh = 0, dt = 0, dp = 0, du = 0} end

local function store(head)
  if call('HEXISTS', H, 'h') == 0 then call('HSET', H, 'h', '') end
  head.f = call('HLEN', H)
  head.l = call('ZCARD', K)
  call('HSET', H, 'h', cmsgpack.pack(head))
end
`;

/** The keys of the layout of release 0.1: KEYS[3] and following, with the key base in \`old_base\`. They are removed; a checkpoint without entries is taken over. */
export const OLD_LAYOUT = `
-- Removes the keys of the old layout. Checkpoints of a partition without entries (the duplicate index) are taken over: the answer is its new header.
local function leave_old_layout(old_base)
  if call('EXISTS', unpack(KEYS, 3)) == 0 then return nil, 0 end
  local head
  local old = call('HGETALL', KEYS[3])
  for i = 1, #old, 2 do call('UNLINK', old_base .. 'f:' .. old[i]) end
  if #old > 0 and call('EXISTS', KEYS[4], KEYS[6]) == 0 then
    head = fresh()
    local streams = {}
    for i = 1, #old, 2 do
      streams[#streams + 1] = old[i]
      local epoch = string.match(old[i + 1], '^%S+ (%S+)')
      if less(head.e, epoch) then head.e = epoch end
      call('HSET', H, 'o' .. old[i], (#streams - 1) .. ' ' .. old[i + 1])
    end
    call('HSET', H, 's', cmsgpack.pack(streams))
    store(head)
  end
  call('UNLINK', unpack(KEYS, 3))
  return head, 1
end
`;
