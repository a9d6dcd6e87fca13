-- join: takes a batch of requests for a ticket and gives each the number it already has, or the next one.
--
-- KEYS    1 line, 2 settings, 3 roll, 4 holders, 5 spent, 6 visits, 7 log, then retry:<entropy> for each request
-- ARGV    1 now_ms, 2 issued, 3 called, 4 presale_size (marks of this gate; -1: none), 5 once (1: an identity that
--         has entered may not join again), then four for each request: leaf (32 bytes), identity ('': none), id (hex),
--         record of the ticket that came with the request ('': none)
-- answer  {'hold', ms}: the store has just started, the gates are healing its counters; or
--         {phase, {code, number, id} ...} with code new, same (as before), once (not again), refused (not in this phase)
-- record  number:id, or number:id:place where the place is known
-- holders: identity -> record, with its place once it has entered;  retry: record, for two minutes

local RETRY_MS = 120000

if line.run ~= run() then return { 'hold', HEAL_MS } end
if healing_ms() > 0 then return { 'hold', healing_ms() } end
heal(KEYS[3], KEYS[7], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
local stage = phase()
local joinable = stage == 'presale' or stage == 'drawing' or stage == 'open' or stage == 'paused'
if joinable and stage ~= 'presale' and settings.presale_closes_at then freeze(KEYS[3], KEYS[7]) end
local on_roll = stage == 'presale' and not line.presale_size

local function parse(record) return string.match(record, '^(%d+):(%x+):?(%d*)$') end

local function is_spent(number) return redis.call('GETBIT', KEYS[5], number) == 1 end

-- Whether a ticket has done its work: it has entered or left the line, and no visit of it lasts. Before the draw none
-- has: whoever left and joins again gets the same lot, not one more.
local function over(record)
  local number, _, place = parse(record)
  if on_roll or not is_spent(number) then return false end
  return not (place ~= '' and tonumber(redis.call('ZSCORE', KEYS[6], place) or 0) > now - trouble_ms())
end

local function same(code, record)
  local number, id = parse(record)
  if on_roll and is_spent(number) then redis.call('SETBIT', KEYS[5], number, 0) end
  return { code, tonumber(number), id }
end

-- The ticket of an identity; one that the store has lost is taken over from the request.
local function of_identity(identity, held)
  local known = redis.call('HGET', KEYS[4], identity)
  local record = known or held
  if record == '' then return nil end
  if over(record) then
    local entered = known and string.match(known, '^%d+:%x+:%d')
    return ARGV[5] == '1' and entered and same('once', record) or nil
  end
  redis.call('HSETNX', KEYS[4], identity, record)
  return same('same', record)
end

-- The ticket of a browser: the one it brought, or the one a request with the same entropy was given.
local function of_browser(held, retry)
  if held ~= '' and not over(held) then return same('same', held) end
  local record = redis.call('GET', retry)
  return record and record ~= string.match(held, '^%d+:%x+') and same('same', record) or nil
end

local issued, leaves = count('issued'), {}
local answers = { stage }
for i = 6, #ARGV, 4 do
  local leaf, identity, id, held = unpack(ARGV, i, i + 3)
  local retry = KEYS[8 + (i - 6) / 4]
  local answer
  if identity ~= '' then answer = of_identity(identity, held) else answer = of_browser(held, retry) end
  if not answer and joinable then
    leaves[#leaves + 1] = leaf
    answer = { 'new', issued, id }
    local record = string.format('%d:%s', issued, id)
    if identity ~= '' then
      redis.call('HSET', KEYS[4], identity, record)
    else
      redis.call('SET', retry, record, 'PX', RETRY_MS)
    end
    issued = issued + 1
  end
  answers[#answers + 1] = answer or { 'refused', -1, '' }
end
if #leaves > 0 then
  if on_roll then redis.call('APPEND', KEYS[3], table.concat(leaves)) end
  set('issued', issued)
end
return answers
