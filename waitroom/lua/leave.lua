-- leave: ends a visit and frees its spot, or takes a ticket out of the line.
--
-- KEYS    1 line, 2 settings, 3 coming, 4 door, 5 knocks, 6 visits, 7 entered, 8 ended, 9 spent, 10 generations
-- ARGV    1 now_ms, 2 place ('': not known yet), 3 number of the ticket that leaves the line (-1: only the visit ends),
--         4 its generation
-- answer  1 when a visit ended, 0 when none was left to end, -1 when the place was moved to another device

local place, number = ARGV[2], tonumber(ARGV[3])
if number >= 0 then
  local generation = tonumber(ARGV[4])
  if generation_of(KEYS[10], number, generation) > generation then return -1 end
  redis.call('SETBIT', KEYS[9], number, 1)
end
if place == '' then return 0 end
redis.call('ZREM', KEYS[3], place)
redis.call('ZREM', KEYS[4], place)
redis.call('ZREM', KEYS[5], place)
if redis.call('ZREM', KEYS[6], place) == 0 then return 0 end
redis.call('ZREM', KEYS[7], place)
redis.call('ZADD', KEYS[8], now, place)
set('left', text(count('left') + 1))
return 1
