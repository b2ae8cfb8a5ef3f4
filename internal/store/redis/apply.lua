-- KEYS: the marker, the index, entries. ARGV: the channel, the message, the marker's text, a token that was
-- never given before, the marker's term, and whether it must say what follows: any or only, and its repository,
-- revision, phase and term. Then for each entry: action, expected token, name, value, the value's SHA-1, and the
-- fields of the mark, whose names are FIELDS.
-- Answers nothing if all was done, else why nothing was: Redis takes back nothing that a script has written,
-- so all that can fail is looked at before the first write.
local FIELDS = {'id', 'version', 'revision', 'kind', 'origin', 'classification', 'repository', 'digest'}
local FIRST, STRIDE = 11, 5 + #FIELDS
local granted = redis.acl_check_cmd

if not granted('SET', KEYS[1], '') or not granted('SADD', KEYS[2], '') or not granted('SREM', KEYS[2], '')
  or not granted('DEL', KEYS[2]) or not granted('PUBLISH', ARGV[1], '') then
  return {'denied', ''}
end
local says = marker(text(KEYS[1]))
if says[4] > tonumber(ARGV[5]) then return {'fenced', string.format('%.0f', says[4])} end
if ARGV[6] == 'only' and (says[1] ~= ARGV[7] or says[2] ~= ARGV[8] or says[3] ~= ARGV[9] or says[4] ~= tonumber(ARGV[10])) then
  return {'conflict', ''}
end
local sums = {}
for i = 3, #KEYS do
  local at = FIRST + (i - 3) * STRIDE
  local action, expected, name = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if action == 'delete' then
    if not granted('DEL', KEYS[i]) then return {'denied', name} end
  elseif not granted('HSET', KEYS[i], 'value', '') then
    return {'denied', name}
  end
  local token, held, sum = stands(KEYS[i])
  if token ~= expected then return {'conflict', name} end
  if action == 'delete' and not marked(held) or action == 'update' and not held then return {'unmarked', name} end
  if action == 'remark' and not (held and held[1]) then return {'conflict', name} end
  sums[i] = sum
end

if redis.call('TYPE', KEYS[2]).ok ~= 'set' then redis.call('DEL', KEYS[2]) end
local added, removed = {}, {}
for i = 3, #KEYS do
  local at = FIRST + (i - 3) * STRIDE
  local action, name = ARGV[at], ARGV[at + 2]
  if action == 'delete' then
    redis.call('DEL', KEYS[i])
    removed[#removed + 1] = name
  else
    local write, n = {'value', ARGV[at + 3], 'token', ARGV[4], 'content', 'sha1:' .. ARGV[at + 4]}, 6
    if action == 'remark' then write, n = {'token', ARGV[4], 'content', 'sha1:' .. sums[i]}, 4 end
    for f = 1, #FIELDS do
      write[n + 1], write[n + 2] = FIELDS[f], ARGV[at + 4 + f]
      n = n + 2
    end
    redis.call('HSET', KEYS[i], unpack(write))
    added[#added + 1] = name
  end
end
each('SADD', KEYS[2], added)
each('SREM', KEYS[2], removed)
redis.call('SET', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {}
