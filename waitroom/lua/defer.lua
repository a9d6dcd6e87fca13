-- defer: a called place lets others by, and enters by its place whenever it knocks again. Repeated, it changes nothing.
--
-- KEYS    1 line, 2 settings, 3 coming, 4 door, 5 knocks, 6 visits, 7 spent, 8 holders, 9 generations
-- ARGV    1 now_ms, 2 place, 3 number, 4 identity ('': none), 5 generation
-- answer  {'deferred', was on its way or at the door (0/1)}, {'moved'}, {'in_shop'}, {'spent'} or {'not_called', places ahead}

local place, number, generation = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
if generation_of(KEYS[9], number, generation) > generation then return { 'moved' } end
if tonumber(redis.call('ZSCORE', KEYS[6], place) or 0) > now - trouble_ms() then return { 'in_shop' } end
if is_void(KEYS[7], KEYS[8], number, ARGV[4]) then return { 'spent' } end
local called = count('called')
if place >= called then return { 'not_called', place - called } end

-- Of those called it is one that does not come: without that the show rate promises too many (waitroom.model.defer).
local coming = redis.call('ZREM', KEYS[3], place)
if coming == 1 then set('lapsed', text(count('lapsed') + 1)) end
redis.call('ZREM', KEYS[5], place)
return { 'deferred', coming + redis.call('ZREM', KEYS[4], place) }
