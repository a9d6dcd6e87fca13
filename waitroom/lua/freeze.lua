-- freeze: ends the presale; from now on its size is fixed.
--
-- KEYS    1 line, 2 settings, 3 roll, 4 log
-- ARGV    1 now_ms
-- answer  the presale's size, or -1 while the presale is not over, or while the gates are healing a store that has just
--         started: it may have lost tickets that belong on the list

if line.presale_size then return tonumber(line.presale_size) end
if not settings.presale_closes_at or now < tonumber(settings.presale_closes_at) then return -1 end
if line.run ~= run() or healing_ms() > 0 then return -1 end
freeze(KEYS[3], KEYS[4])
return tonumber(line.presale_size)
