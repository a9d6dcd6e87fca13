-- touch: extends a batch of visits of active visitors, never beyond the longest visit.
--
-- KEYS    1 line, 2 settings, 3 visits, 4 entered
-- ARGV    1 now_ms, then places
-- answer  for each place when its visit ends now, in the time of visits (ms), or 0 when it has none

local visit_time = now - trouble_ms()
local ends = {}
for i = 2, #ARGV do
  local place = ARGV[i]
  local old = tonumber(redis.call('ZSCORE', KEYS[3], place) or 0)
  if old > visit_time then
    local latest = tonumber(redis.call('ZSCORE', KEYS[4], place)) + tonumber(settings.visit_longest_ms)
    old = math.max(old, math.min(visit_time + tonumber(settings.visit_ms), latest))
    redis.call('ZADD', KEYS[3], old, place)
  else
    old = 0
  end
  ends[#ends + 1] = old
end
return ends
