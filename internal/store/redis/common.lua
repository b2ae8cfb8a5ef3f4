-- stands returns what is at a name: its token, '' if there is nothing; of a hash also its value, token and
-- version, and the SHA-1 of the value. The token names the last batch that wrote it and the value: whoever
-- else writes one or the other is noticed. list.go makes it likewise.
local function stands(name)
  local held = redis.pcall('HMGET', name, 'value', 'token', 'version')
  if held.err then return 'foreign' end
  if not (held[1] or held[2] or held[3]) and redis.call('EXISTS', name) == 0 then return '' end
  local sum = redis.sha1hex(held[1] or '')
  return (held[2] or '') .. ':' .. sum, held, sum
end

-- marked tells whether an entry bears a mark, as parseMark does.
local function marked(held)
  local version = held and held[2] and held[3]
  return version and #version <= 20 and (version == '0' or string.match(version, '^[1-9]%d*$'))
end

-- each calls a command on a set with many names, some at a time: Lua takes only so many arguments.
local function each(command, set, names)
  for first = 1, #names, 500 do
    redis.call(command, set, unpack(names, first, math.min(first + 499, #names)))
  end
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
