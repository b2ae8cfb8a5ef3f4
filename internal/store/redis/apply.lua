-- KEYS: the marker, the index, entries. ARGV: the channel, the message, the marker's text, a token that was
-- never given before, then for each entry: action, expected token, name, value and the fields of the mark.
-- Answers nothing if all was done, else why nothing was: Redis takes back nothing that a script has written,
-- so all that can fail is looked at before the first write.
local FIRST, STRIDE = 5, 12

local function granted(...)
  return redis.acl_check_cmd(...)
end

if not granted('SET', KEYS[1], '') or not granted('SADD', KEYS[2], '') or not granted('SREM', KEYS[2], '')
  or not granted('DEL', KEYS[2]) or not granted('PUBLISH', ARGV[1], '') then
  return {'denied', ''}
end
for i = 3, #KEYS do
  local at = FIRST + (i - 3) * STRIDE
  local action, expected, name = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if not granted('HSET', KEYS[i], 'value', '') or not granted('DEL', KEYS[i]) then return {'denied', name} end
  local token, held = stands(KEYS[i])
  if token ~= expected then return {'conflict', name} end
  if not marked(held) and (action == 'update' or action == 'delete') then return {'unmarked', name} end
  if action == 'remark' and not (held and held[1]) then return {'conflict', name} end
end

if redis.call('TYPE', KEYS[2]).ok ~= 'set' then redis.call('DEL', KEYS[2]) end
for i = 3, #KEYS do
  local at = FIRST + (i - 3) * STRIDE
  local action, name, value = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  if action == 'delete' then
    redis.call('DEL', KEYS[i])
    redis.call('SREM', KEYS[2], name)
  else
    if action == 'remark' then value = redis.call('HGET', KEYS[i], 'value') end
    local write = {'value', value, 'token', ARGV[4], 'content', content(value)}
    for f = 4, #fields do
      write[#write + 1] = fields[f]
      write[#write + 1] = ARGV[at + f]
    end
    redis.call('HSET', KEYS[i], unpack(write))
    redis.call('SADD', KEYS[2], name)
  end
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {}
