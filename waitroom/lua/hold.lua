-- hold: what an operator does to the door: pause, resume, sold_out, restock, close, reopen; trust (go on although the
-- shop is in trouble: what gates told of it runs out, and they are not heard any more) and watch (hear them again).
--
-- KEYS    1 line, 2 settings, 3 log, 4 audit, 5 coming, 6 knocks
-- ARGV    1 now_ms, 2 action, 3 reason, 4 by
-- answer  {'done', phase before, phase after} or {'illegal', phase}; waitroom.room.HOLDS is the table of legal moves

local action, reason, by = ARGV[2], ARGV[3], ARGV[4]
local before = phase()

local steers = { pause = true, resume = true, trust = true, watch = true }
local running = before == 'open' or before == 'paused'
local legal = action == 'close'
  or action == 'reopen' and before == 'closed'
  or steers[action] and before ~= 'sold_out' and before ~= 'closed'
  or (action == 'sold_out' or action == 'restock') and (running or before == 'sold_out')
if not legal then return { 'illegal', before } end

if action == 'pause' then
  set('paused_at', line.paused_at or now)
  set('reason', reason)
elseif action == 'resume' then
  if line.paused_at then date_anew(KEYS[5], KEYS[6]) end
  unset('paused_at')
  unset('reason')
elseif action == 'trust' then
  set('trusted', 1)
elseif action == 'watch' then
  unset('trusted')
elseif action == 'sold_out' then
  set('sold_out', 1)
  set('reason', reason)
elseif action == 'restock' then
  if line.sold_out then unset('reason') end
  unset('sold_out')
  unset('units_left')
  unset('units_held')
elseif action == 'close' then
  set('closed', 1)
  set('reason', reason)
else
  unset('closed')
  unset('reason') -- of the closing
end

local after = phase()
redis.call('XADD', KEYS[3], '*', 'kind', action, 'at', now, 'reason', reason)
redis.call('XADD', KEYS[4], '*', 'what', action, 'at', now, 'by', by, 'from', before, 'to', after, 'why', reason)
return { 'done', before, after }
