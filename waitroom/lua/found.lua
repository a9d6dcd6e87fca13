-- found: puts a room into the store, once; whoever comes later takes what is there. Runs without the prelude.
--
-- KEYS    1 line, 2 settings, 3 log
-- ARGV    1 now_ms, 2 secret (32 bytes), 3 commit (the byte-frozen document), 4 whether the store has lost the
--         room (0/1): then the next call holds joins until all gates have healed the counters; then pairs of settings
-- answer  {line, settings} as flat pairs

if redis.call('EXISTS', KEYS[2]) == 0 then
  local run = ARGV[4] == '1' and '' or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  redis.call('HSET', KEYS[2], unpack(ARGV, 5))
  redis.call('HSET', KEYS[1], 'secret', ARGV[2], 'commit', ARGV[3], 'run', run)
  redis.call('XADD', KEYS[3], '*', 'kind', 'found', 'at', ARGV[1], 'commit', ARGV[3], unpack(ARGV, 5))
end
return { redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
