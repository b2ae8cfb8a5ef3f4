-- The fields of an entry's hash, in the order of layout.go.
local fields = {'value', 'token', 'content', 'id', 'version', 'revision', 'kind', 'origin', 'classification', 'repository', 'digest'}
local TOKEN, CONTENT, VERSION = 2, 3, 5

-- content names a value, so that a value which somebody else has changed is known for it.
local function content(value)
  return 'sha1:' .. redis.sha1hex(value or '')
end

-- stands returns what is at a name: its token, '' if there is nothing, and the fields if it is a hash. The
-- token is over all fields: whoever changed one of them is noticed.
local function stands(name)
  local kind = redis.call('TYPE', name).ok
  if kind == 'none' then return '' end
  if kind ~= 'hash' then return 'a ' .. kind end
  local held = redis.call('HMGET', name, unpack(fields))
  return redis.sha1hex(cmsgpack.pack(held)), held
end

-- marked tells whether fields bear a whole mark, as parseMark does.
local function marked(held)
  local version = held and held[TOKEN] and held[VERSION]
  return version and #version <= 20 and (version == '0' or string.match(version, '^[1-9]%d*$'))
end

-- text returns a string's value, '' for what is none.
local function text(name)
  if redis.call('TYPE', name).ok ~= 'string' then return '' end
  return redis.call('GET', name)
end

-- members returns a set of names, empty for what is none.
local function members(name)
  if redis.call('TYPE', name).ok ~= 'set' then return {} end
  return redis.call('SMEMBERS', name)
end
