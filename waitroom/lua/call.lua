-- call: lets the next places come, just ahead of need. Every gate runs it about four times a second.
--
-- KEYS    1 line, 2 settings, 3 roll, 4 coming, 5 door, 6 knocks, 7 visits, 8 entered, 9 ended, 10 log, 11 generations
-- ARGV    1 now_ms, 2 issued, 3 called, 4 presale_size (marks of this gate; -1: none),
--         5 1 to call even if another gate just did, 6 ended_since (ms),
--         7 moved_since (generation)
-- answer  {line, settings, visits, at the door, coming, {place, ended at, ...} of visits ended early since then,
--         {number, generation, ...} of tickets moved since then}
-- coming: place called within the lead that has not knocked yet -> when it was called
-- ended:  place whose visit ended before its pass does -> when it ended, so that gates refuse the pass

local SPACING_MS = 200
local LEAST_SHOW_RATE, MOST_CALLED = 0.02, 2000
local FLOW_HALF_LIFE_MS, MOST_FLOW_MS = 120000, 1000

if line.run ~= run() then
  set('run', run())
  set('hold_until', now + HEAL_MS)
end
heal(KEYS[3], KEYS[10], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))

-- After the clock was set back no date may lie far ahead, or the door would stand still until then.
local function follow_clock()
  local fell = count('last_call') - now
  if fell <= CLOCK_FELL_MS then return end
  set('tat', text(count('tat') - fell))
  set('last_call', now)
  set('decayed_at', now)
  date_anew(KEYS[4], KEYS[6])
end

-- Drops what is over and counts it, in counts that forget; a door that stands still keeps those who are coming.
local function tidy()
  local visit_time = now - trouble_ms()
  local over = redis.call('ZRANGE', KEYS[7], '-inf', visit_time, 'BYSCORE')
  for _, place in ipairs(over) do redis.call('ZREM', KEYS[8], place) end
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', visit_time)
  redis.call('ZREMRANGEBYSCORE', KEYS[9], '-inf', visit_time - longest_pass_ms())
  drop_stale_knocks(KEYS[5], KEYS[6])
  local late = stands_still() and 0 or redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - LEAD_MS)
  local kept = 2 ^ (-math.max(0, now - count('decayed_at')) / HALF_LIFE_MS)
  local counts = {
    shown = count('shown') * kept,
    lapsed = count('lapsed') * kept + late,
    left = count('left') * kept + #over,
    decayed_at = math.max(now, count('decayed_at')),
  }
  for field, value in pairs(counts) do set(field, text(value)) end
end

-- How many places to call now: waitroom.pace.how_many_to_call is its oracle.
local function how_many_to_call()
  local shown, lapsed = count('shown'), count('lapsed')
  local show_rate = math.max(LEAST_SHOW_RATE, (shown + 0.5) / (shown + lapsed + 0.5))
  local want = LEAD_MS / interval(settings.rate)
  if settings.capacity then
    local free = tonumber(settings.capacity) - redis.call('ZCARD', KEYS[7])
    want = math.min(want, free + per_ms(count('left')) * LEAD_MS)
  end
  local door, coming = redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[4])
  local missing = math.max(1, 1 + want) - door - show_rate * coming
  return math.max(0, math.min(math.ceil(missing / show_rate), count('issued') - count('called'), MOST_CALLED))
end

local function let_come(n)
  local first = count('called')
  for place = first, first + n - 1 do redis.call('ZADD', KEYS[4], now, place) end
  set('called', first + n)
  redis.call('XADD', KEYS[10], '*', 'kind', 'call', 'at', now, 'from', first, 'to', first + n - 1)
end

local function record_phase(stage)
  if line.recorded == stage then return end
  redis.call('XADD', KEYS[10], '*', 'kind', 'phase', 'at', now, 'from', line.recorded or '', 'to', stage)
  set('recorded', stage)
end

-- How the line moves, in counts that forget: for how long it has, and the places called and entered meanwhile. A line
-- that has run dry tells nothing of how fast it could move.
local function measure(elapsed, n)
  if count('issued') <= count('called') then return end
  elapsed = math.max(0, math.min(elapsed, MOST_FLOW_MS))
  local kept = 2 ^ (-elapsed / FLOW_HALF_LIFE_MS)
  set('moving', text(count('moving') * kept + elapsed))
  set('moved', text(count('moved') * kept + n))
  set('entered', text(count('entered') * kept))
end

follow_clock()
if trouble_is_over() then
  end_trouble(KEYS[10])
  date_anew(KEYS[4], KEYS[6])
end
tidy()
record_phase(phase())
local elapsed = now - count('last_call')
local due = elapsed >= SPACING_MS or elapsed < 0 or ARGV[5] == '1'
if due and phase() == 'open' then
  set('last_call', now)
  if line.units_left ~= '0' then
    local n = how_many_to_call()
    if n > 0 then let_come(n) end
    measure(elapsed, n)
  end
end
return {
  redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]),
  redis.call('ZCARD', KEYS[7]), redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[4]),
  redis.call('ZRANGE', KEYS[9], ARGV[6], '+inf', 'BYSCORE', 'WITHSCORES'),
  redis.call('ZRANGE', KEYS[11], '(' .. ARGV[7], '+inf', 'BYSCORE', 'WITHSCORES'),
}
