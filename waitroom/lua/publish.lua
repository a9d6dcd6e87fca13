-- publish: records the root of the frozen roll, once; from now on the list and the secret are public, and nothing is drawn yet.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 size, 3 root (32 bytes), 4 root (hex), 5 secret (hex)
-- answer  the root as it stands; '' when this size is not the frozen one

if line.presale_size ~= ARGV[2] then return '' end
if not line.root then
  set('root', ARGV[3])
  redis.call('XADD', KEYS[3], '*', 'kind', 'roll', 'at', now, 'size', ARGV[2], 'root', ARGV[4], 'secret', ARGV[5])
end
return line.root
