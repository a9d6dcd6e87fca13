-- seal: closes the public record up to an entry, unless another gate just did; so the chain of seals never forks.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 the seal that this one builds on (hex, '': none), 3 id of the last entry it covers, 4 seal (hex)
-- answer  1 if it was taken, else 0
-- The counters in it tell later, to within a few seconds, when a number was issued: joins are not recorded one by one.

local SPACING_MS = 2000

local elapsed = now - count('sealed_at')
if (line.seal or '') ~= ARGV[2] or (elapsed >= 0 and elapsed < SPACING_MS) then return 0 end
set('sealed_to', ARGV[3])
set('sealed_at', now)
set('seal', ARGV[4])
redis.call('XADD', KEYS[3], '*', 'kind', 'seal', 'at', now, 'to', ARGV[3], 'seal', ARGV[4],
  'issued', count('issued'), 'called', count('called'))
return 1
