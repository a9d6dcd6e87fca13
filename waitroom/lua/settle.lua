-- settle: records the draw, once. Every gate computes the same from the same roll, so whoever is first wins.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 size, 3 root (32 bytes), 4 seed (32 bytes), 5 both and the secret as a public text
-- answer  {root, seed} as they stand; {} when this size is not the frozen one

if line.presale_size ~= ARGV[2] then return {} end
if not line.seed then
  set('root', ARGV[3])
  set('seed', ARGV[4])
  redis.call('XADD', KEYS[3], '*', 'kind', 'draw', 'at', now, 'draw', ARGV[5])
end
return { line.root, line.seed }
