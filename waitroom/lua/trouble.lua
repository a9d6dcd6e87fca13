-- trouble: a gate sees the shop in trouble; the door stands still until no gate has said so for TROUBLE_MS.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms
-- answer  1 when the trouble begins; 0 when it is known, or the operator lets the door go on regardless

if line.trusted then return 0 end
if trouble_is_over() then end_trouble(KEYS[3]) end
local begins = not line.trouble_since
if begins then
  set('trouble_since', now)
  redis.call('XADD', KEYS[3], '*', 'kind', 'trouble', 'at', now)
end
set('trouble_until', math.max(count('trouble_until'), now + TROUBLE_MS))
return begins and 1 or 0
