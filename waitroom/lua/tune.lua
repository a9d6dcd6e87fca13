-- tune: changes the pace, if nobody else changed it meanwhile.
--
-- KEYS    1 line, 2 settings, 3 log, 4 audit
-- ARGV    1 now_ms, 2 the version the change is based on, 3 by, 4 reason, then pairs of settings ('': no limit)
-- answer  {'done', new version} or {'conflict', version}

if settings.version ~= ARGV[2] then return { 'conflict', settings.version } end
redis.call('HSET', KEYS[2], 'visit_longest_ever_ms', longest_pass_ms())
local old_step, old_burst = interval(settings.rate), tonumber(settings.burst)
for i = 5, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  redis.call('XADD', KEYS[3], '*', 'kind', 'pace', 'at', now, 'name', name, 'from', settings[name] or '', 'to', value,
    'reason', ARGV[4])
  redis.call('XADD', KEYS[4], '*', 'what', name, 'at', now, 'by', ARGV[3], 'from', settings[name] or '', 'to', value,
    'why', ARGV[4])
  settings[name] = value
  if value == '' then redis.call('HDEL', KEYS[2], name) else redis.call('HSET', KEYS[2], name, value) end
end

-- What was used up stays used up: slots booked ahead of now stand, and until the last of them the door counts as full;
-- otherwise the used share of the burst is kept. waitroom.pace.rescale_tat is its oracle.
local function rescale(tat, step)
  local booked = tat - old_burst * old_step
  if booked > now then return booked + tonumber(settings.burst) * step end
  return math.ceil((now + (tat - now) * step / old_step) * TICK) / TICK
end
if count('tat') > now then set('tat', text(rescale(count('tat'), interval(settings.rate)))) end
return { 'done', redis.call('HINCRBY', KEYS[2], 'version', 1) }
