-- extend: gives a visitor who asks more time, within what the settings allow.
--
-- KEYS    1 line, 2 settings, 3 visits, 4 entered
-- ARGV    1 now_ms, 2 place, 3 when the pass that came with the request ends, in the time of visits
-- answer  {'extended', when the visit ends now, in the time of visits, it ends later than before (0/1)}, {'over'} or {'no_more'}
-- It counts from the pass and not from the visit, so that a request which is repeated gets the same answer.

local place, expires_at = ARGV[2], tonumber(ARGV[3])
local ends = tonumber(redis.call('ZSCORE', KEYS[3], place) or 0)
if ends <= now - trouble_ms() then return { 'over' } end

local latest = tonumber(redis.call('ZSCORE', KEYS[4], place)) + longest_ms()
if more_ms() == 0 or expires_at >= latest then return { 'no_more' } end
local extended = math.max(ends, math.min(expires_at + tonumber(settings.more_time_ms), latest))
redis.call('ZADD', KEYS[3], extended, place)
return { 'extended', extended, extended > ends and 1 or 0 }
