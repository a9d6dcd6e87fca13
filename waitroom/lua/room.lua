-- The prelude of every verb but found: the room as the store knows it, and what several verbs do alike.
--
-- KEYS[1] line      hash: issued, called, presale_size, root, seed, signature, secret, commit; tat (the door's theoretical
--                   arrival time, ms); shown, lapsed, left (counts decayed since decayed_at); last_call; moving (ms),
--                   moved, entered (decayed while the line moves); entries (all so far); generation (of the ticket that
--                   was moved last); paused_at, reason, sold_out, closed; units_left, units_held, units_taken; run,
--                   hold_until (healing); trouble_since, trouble_until (ms, while the shop is in trouble), trouble_ms (all
--                   of it before), trusted (the operator lets the door go on regardless); recorded (the phase that the
--                   log told last); seal, sealed_to, sealed_at (the log's last seal)
-- KEYS[2] settings  hash: opens_at, presale_opens_at, presale_closes_at, closes_at (ms, missing where there is none);
--                   rate (a minute), capacity (missing: no limit), burst, visit_ms, visit_longest_ms,
--                   more_time_ms, more_times, visit_longest_ever_ms, version
-- ARGV[1] now_ms

local function hash(key)
  local flat, map = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

local now = tonumber(ARGV[1])
local line, settings = hash(KEYS[1]), hash(KEYS[2])
if not settings.opens_at then return redis.error_reply('UNFOUNDED this room is not in the store') end

-- A number as text that reads back as the same double.
local function text(number) return string.format('%.17g', number) end

local function count(field) return tonumber(line[field] or 0) end

local function set(field, value)
  line[field] = value
  redis.call('HSET', KEYS[1], field, value)
end

local function unset(field)
  line[field] = nil
  redis.call('HDEL', KEYS[1], field)
end

-- Whether the door keeps its order, and nobody is called or enters: the operator has paused it, or the shop is in trouble.
local function stands_still() return line.paused_at or line.trouble_since end

-- The same function as waitroom.room.phase.
local function phase()
  local opens_at, closes_at = tonumber(settings.opens_at), tonumber(settings.closes_at)
  local presale_opens_at = tonumber(settings.presale_opens_at)
  if line.closed or (closes_at and now >= closes_at) then return 'closed' end
  if line.sold_out then return 'sold_out' end
  if presale_opens_at then
    if now < presale_opens_at then return 'scheduled' end
    if now < tonumber(settings.presale_closes_at) then return 'presale' end
    if now < opens_at or not line.seed then return 'drawing' end
  elseif now < opens_at then
    return 'scheduled'
  end
  return stands_still() and 'paused' or 'open'
end

-- For how long the shop has been in trouble so far. The time of visits stands still meanwhile: the sets `visits` and
-- `entered` hold instants of that time, which is now - trouble_ms().
local function trouble_ms()
  if not line.trouble_since then return count('trouble_ms') end
  return count('trouble_ms') + math.max(0, math.min(now, count('trouble_until')) - line.trouble_since)
end

-- The clocks of gates differ by less; one that falls back by more was set back.
local CLOCK_FELL_MS = 5000

-- Whether no gate has told of the trouble for so long, by a clock that may have been set back since.
local TROUBLE_MS = 5000
local function trouble_is_over()
  local left = count('trouble_until') - now
  return line.trouble_since and (left <= 0 or left > TROUBLE_MS + CLOCK_FELL_MS)
end

-- Closes a trouble that no gate has told of lately.
local function end_trouble(log)
  set('trouble_ms', trouble_ms())
  redis.call('XADD', log, '*', 'kind', 'recovered', 'at', now, 'from', line.trouble_since, 'to', line.trouble_until)
  unset('trouble_since')
  unset('trouble_until')
end

-- The identity of the server process: another one after a restart or a failover.
local function run() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end

-- Fixes the size of the presale, once: the tickets on the roll take part in the draw, nobody else.
local function freeze(roll, log)
  if line.presale_size then return end
  local size = redis.call('STRLEN', roll) / 32
  set('presale_size', size)
  redis.call('XADD', log, '*', 'kind', 'freeze', 'at', now, 'size', size)
end

-- Raises the counters to the highest that a gate has seen, after the store lost its last writes. A lost leaf becomes
-- 32 zero bytes: its number is given to nobody else and keeps its part in the draw. The log says what was lost.
local function heal(roll, log, issued, called, presale_size)
  local lost = math.max(0, issued - count('issued')) + math.max(0, called - count('called'))
  if presale_size >= 0 and not line.presale_size then set('presale_size', presale_size) end
  if issued > count('issued') then set('issued', issued) end
  if called > count('called') then set('called', called) end
  if settings.presale_closes_at then
    local leaves = tonumber(line.presale_size) or count('issued')
    local short = leaves - redis.call('STRLEN', roll) / 32
    if short > 0 then redis.call('APPEND', roll, string.rep('\0', 32 * short)) end
    lost = lost + math.max(0, short)
  end
  if lost == 0 then return end
  redis.call('XADD', log, '*', 'kind', 'heal', 'at', now, 'issued', count('issued'), 'called', count('called'),
    'size', line.presale_size or '')
end

-- For how long no numbers are given out yet, ms: all gates heal the counters of a store that has just started. A clock
-- that was set back since does not prolong it.
local HEAL_MS = 1000
local function healing_ms()
  local left = count('hold_until') - now
  return left > 0 and left <= HEAL_MS + CLOCK_FELL_MS and left or 0
end

-- Drops knocks that no longer count; a door that stands still stays as it is.
local function drop_stale_knocks(door, knocks)
  if stands_still() then return end
  local stale = redis.call('ZRANGE', knocks, '-inf', now, 'BYSCORE')
  for _, place in ipairs(stale) do redis.call('ZREM', door, place) end
  if #stale > 0 then redis.call('ZREMRANGEBYSCORE', knocks, '-inf', now) end
end

-- Whoever was at the door or on the way when it stood still, or the clock fell back, has the lead time, from now, to show again.
local LEAD_MS = 6000
local function date_anew(coming, knocks)
  for _, place in ipairs(redis.call('ZRANGE', coming, 0, -1)) do redis.call('ZADD', coming, now, place) end
  for _, place in ipairs(redis.call('ZRANGE', knocks, 0, -1)) do redis.call('ZADD', knocks, now + LEAD_MS, place) end
end

-- The generation of a ticket: which move in this room its last one was, 0 if it was never moved. A signed ticket may
-- tell of a move that the store has lost, and is believed.
local function generation_of(generations, number, signed)
  local known = tonumber(redis.call('ZSCORE', generations, number) or 0)
  if signed <= known then return known end
  redis.call('ZADD', generations, signed, number)
  set('generation', math.max(count('generation'), signed))
  return signed
end

-- Whether a ticket is void: it is spent, or no longer the one that its identity holds.
local function is_void(spent, holders, number, identity)
  local holder = identity ~= '' and redis.call('HGET', holders, identity)
  local replaced = holder and tonumber(string.match(holder, '^%d+')) ~= number
  return replaced or redis.call('GETBIT', spent, number) == 1
end

-- Milliseconds between entries, in whole 1/1024 ms: such numbers add up without rounding (waitroom.pace).
local TICK = 1024
local function interval(rate) return math.ceil(60000 * TICK / tonumber(rate)) / TICK end

-- How much longer a visit may last because its visitor asks; and how long in all.
local function more_ms() return tonumber(settings.more_time_ms or 0) * tonumber(settings.more_times or 0) end
local function longest_ms() return tonumber(settings.visit_longest_ms) + more_ms() end

-- The longest that a pass may be good for: also one that was signed before the operator shortened visits.
local function longest_pass_ms() return math.max(longest_ms(), tonumber(settings.visit_longest_ever_ms or 0)) end

-- Events a millisecond that hold a decayed count at this level.
local HALF_LIFE_MS = 30000
local function per_ms(decayed) return decayed * math.log(2) / HALF_LIFE_MS end
