-- settle: records the draw, once. Every gate computes the same from the same roll, so whoever is first wins.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 root (32 bytes), 3 seed (32 bytes), 4 seed (hex), 5 the beacon's signature ('': none), 6 the same (hex)
-- answer  the seed as it stands; '' when this root is not the published one

if line.root ~= ARGV[2] then return '' end
if not line.seed then
  set('seed', ARGV[3])
  set('signature', ARGV[5])
  redis.call('XADD', KEYS[3], '*', 'kind', 'draw', 'at', now, 'seed', ARGV[4], 'signature', ARGV[6])
end
return line.seed
