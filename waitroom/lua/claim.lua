-- claim: another device takes a place over, by the link that its holder made; once.
--
-- KEYS    1 line, 2 settings, 3 generations, 4 claims, 5 visits, 6 spent, 7 holders
-- ARGV    1 now_ms, 2 place ('': not known yet), 3 number, 4 identity ('': none), 5 generation of the ticket in the link,
--         6 who claims (a hash), 7 the latest generation of the ticket that this gate knows
-- answer  {'claimed', generation, it is new (0/1)}, {'used'}, {'in_shop'} or {'spent'}
-- generations: number of a ticket that was moved -> its generation: which move in this room its last one was
-- claims:  number -> who claimed it last, so that the same claim, repeated, gets the same answer

local place, number, generation = ARGV[2], ARGV[3], tonumber(ARGV[5])
local known = generation_of(KEYS[3], number, math.max(generation, tonumber(ARGV[7])))
if known > generation then
  if redis.call('HGET', KEYS[4], number) == ARGV[6] then return { 'claimed', known, 0 } end
  return { 'used' }
end
if place ~= '' and tonumber(redis.call('ZSCORE', KEYS[5], place) or 0) > now - trouble_ms() then return { 'in_shop' } end
if is_void(KEYS[6], KEYS[7], tonumber(number), ARGV[4]) then return { 'spent' } end

set('generation', count('generation') + 1)
redis.call('ZADD', KEYS[3], count('generation'), number)
redis.call('HSET', KEYS[4], number, ARGV[6])
return { 'claimed', count('generation'), 1 }
