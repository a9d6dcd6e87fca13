-- knock: a called place asks to be let in; it enters, or takes its place at the door.
--
-- KEYS    1 line, 2 settings, 3 coming, 4 door, 5 knocks, 6 visits, 7 entered, 8 spent, 9 holders, 10 log,
--         11 generations
-- ARGV    1 now_ms, 2 place, 3 number, 4 identity ('': none), 5 id (hex), 6 generation
-- answer  {'entered', enter_at, expires_at, trouble so far (ms), visit is new (0/1)},
--         {'door', places before it, when to knock again}, {'not_called', places ahead}, {'moved'}, {'spent'} or
--         {'phase', phase}
-- door:    place at the door -> place, so that rank is the order
-- knocks:  place at the door -> until when its knock counts (ms)
-- visits:  place -> when the visit ends; entered: place -> when it began; both in the time of visits

local AHEAD_MS, EARLY_MS, SOONEST_MS, LATEST_MS, GRACE_MS = 2000, 1000, 1000, 20000, 2000

local place, number, identity = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local generation = tonumber(ARGV[6])
if generation_of(KEYS[11], number, generation) > generation then return { 'moved' } end

local trouble = trouble_ms()
local ends = tonumber(redis.call('ZSCORE', KEYS[6], place))
if ends and ends > now - trouble then
  return { 'entered', tonumber(redis.call('ZSCORE', KEYS[7], place)) + trouble, ends + trouble, trouble, 0 }
end

if is_void(KEYS[8], KEYS[9], number, identity) then return { 'spent' } end

local stage = phase()
if stage ~= 'open' then return { 'phase', stage } end
local called = count('called')
if place >= called then return { 'not_called', place - called } end

drop_stale_knocks(KEYS[4], KEYS[5])
if redis.call('ZREM', KEYS[3], place) == 1 then set('shown', text(count('shown') + 1)) end

redis.call('ZADD', KEYS[4], place, place)
local before = redis.call('ZRANK', KEYS[4], place)
local visits = redis.call('ZCOUNT', KEYS[6], '(' .. now - trouble, '+inf')
local free = settings.capacity and tonumber(settings.capacity) - visits or math.huge
local step, tat = interval(settings.rate), count('tat')
local slot = math.max(now, tat + (before - tonumber(settings.burst) + 1) * step)

local function enter()
  local enter_at = math.ceil(slot)
  local expires_at = enter_at + tonumber(settings.visit_ms)
  set('tat', text(math.max(enter_at, tat) + step))
  set('entries', count('entries') + 1)
  if count('issued') > called then set('entered', text(count('entered') + 1)) end
  redis.call('ZREM', KEYS[4], place)
  redis.call('ZREM', KEYS[5], place)
  redis.call('ZADD', KEYS[6], expires_at - trouble, place)
  redis.call('ZADD', KEYS[7], enter_at - trouble, place)
  redis.call('SETBIT', KEYS[8], number, 1)
  redis.call('XADD', KEYS[10], '*', 'kind', 'enter', 'at', now, 'place', place, 'enter_at', enter_at)
  if identity ~= '' then
    redis.call('HSET', KEYS[9], identity, string.format('%d:%s:%d', number, ARGV[5], place))
  end
  return { 'entered', enter_at, expires_at, trouble, 1 }
end

-- When to come again: waitroom.pace.knock_again is its oracle.
local function knock_again()
  local hope = slot - EARLY_MS
  if before > free then
    local leaving = per_ms(count('left'))
    hope = leaving > 0 and math.max(hope, now + (before - free) / (2 * leaving)) or math.huge
  end
  return math.ceil(math.min(math.max(hope, now + SOONEST_MS), now + LATEST_MS))
end

if before < free and (slot <= now or (before == 0 and slot <= now + AHEAD_MS)) then return enter() end
local again = knock_again()
redis.call('ZADD', KEYS[5], again + GRACE_MS, place)
return { 'door', before, again }
