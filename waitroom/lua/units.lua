-- units: what the shop says of its stock; none left and none held means sold out.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 units left, 3 units held
-- answer  1 when this made the room sold out, else 0
-- An older answer of the shop may arrive late, so stock alone never reopens a room: that is `hold restock`.

if line.units_left then set('units_taken', math.max(0, count('units_taken') + line.units_left - ARGV[2])) end
set('units_left', ARGV[2])
set('units_held', ARGV[3])
local running = phase() == 'open' or phase() == 'paused'
if not (running and ARGV[2] == '0' and ARGV[3] == '0') then return 0 end
set('sold_out', 1)
unset('reason') -- of a pause, which this is none of
redis.call('XADD', KEYS[3], '*', 'kind', 'sold_out', 'at', now, 'reason', '')
return 1
