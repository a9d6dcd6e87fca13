-- call: lets the next places come, just ahead of need. Every gate runs it about four times a second.
--
-- KEYS    1 line, 2 settings, 3 roll, 4 coming, 5 door, 6 knocks, 7 visits, 8 entered, 9 ended, 10 log
-- ARGV    1 now_ms, 2 issued, 3 called, 4 presale_size (marks of this gate; -1: none),
--         5 1 to call even if another gate just did, 6 ended_since (ms)
-- answer  {line, settings, visits, at the door, coming, {place, ended at, ...} of visits ended early since then}
-- coming: place called within the lead that has not knocked yet -> when it was called
-- ended:  place whose visit ended before its pass does -> when it ended, so that gates refuse the pass

local LEAD_MS, HALF_LIFE_MS, SPACING_MS = 6000, 30000, 200
local LEAST_SHOW_RATE, MOST_CALLED = 0.02, 5000

if line.run ~= run() then
  set('run', run())
  set('hold_until', now + 1000)
end
heal(KEYS[3], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
sweep(KEYS[5], KEYS[6], KEYS[7], KEYS[8])

local visit_longest_ms = tonumber(settings.visit_longest_ms)
redis.call('ZREMRANGEBYSCORE', KEYS[9], '-inf', now - visit_longest_ms)

local elapsed = now - count('last_call')

local function decayed(field) return count(field) * 0.5 ^ (math.max(0, elapsed) / HALF_LIFE_MS) end

-- How many places to call now: waitroom.pace.how_many_to_call is its oracle.
local function wanted(show_rate, left)
  if line.units_left == '0' then return 0 end
  local visits, door = redis.call('ZCARD', KEYS[7]), redis.call('ZCARD', KEYS[5])
  local coming = redis.call('ZCARD', KEYS[4])
  local want = tonumber(settings.rate) / 60000 * LEAD_MS
  if settings.capacity then
    local free = tonumber(settings.capacity) - visits
    want = math.min(want, free + left * math.log(2) / HALF_LIFE_MS * LEAD_MS)
  end
  local n = math.ceil((math.max(1, want) - door - show_rate * coming) / show_rate)
  return math.max(0, math.min(n, count('issued') - count('called'), MOST_CALLED))
end

local function let_come(n)
  local first = count('called')
  for place = first, first + n - 1 do redis.call('ZADD', KEYS[4], now, place) end
  set('called', first + n)
  redis.call('XADD', KEYS[10], '*', 'kind', 'call', 'at', now, 'from', first, 'to', first + n - 1)
end

if elapsed >= SPACING_MS or elapsed < 0 or ARGV[5] == '1' then
  local lapsed = redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - LEAD_MS) + decayed('lapsed')
  local shown, left, entered = decayed('shown'), decayed('left'), decayed('entered')
  redis.call('HSET', KEYS[1], 'shown', text(shown), 'lapsed', text(lapsed), 'left', text(left),
    'entered', text(entered), 'last_call', now)
  local n = 0
  if phase() == 'open' then
    n = wanted(math.max(LEAST_SHOW_RATE, (shown + 0.5) / (shown + lapsed + 0.5)), left)
  end
  if n > 0 then let_come(n) end
end
return {
  redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]),
  redis.call('ZCARD', KEYS[7]), redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[4]),
  redis.call('ZRANGE', KEYS[9], ARGV[6], '+inf', 'BYSCORE', 'WITHSCORES'),
}
