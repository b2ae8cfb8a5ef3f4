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

-- marker takes a marker's text apart: repository, revision, phase and term, as text all but the last; of what is none,
-- as of nothing. parseMarker does likewise.
local function marker(text)
  local function word(v) return v == nil or v == cjson.null or type(v) == 'string' end
  local ok, m = pcall(cjson.decode, text)
  if not ok or type(m) ~= 'table' or m.phase ~= 'writing' and m.phase ~= 'whole' then return {'', '', '', 0} end
  local term = m.term or 0
  if not (word(m.repository) and word(m.revision)) or type(term) ~= 'number' or term < 0 or term > 2 ^ 53 or term % 1 ~= 0 then
    return {'', '', '', 0}
  end
  return {type(m.repository) == 'string' and m.repository or '', type(m.revision) == 'string' and m.revision or '', m.phase, term}
end

-- members returns a set of names, empty for what is none.
local function members(name)
  if redis.call('TYPE', name).ok ~= 'set' then return {} end
  return redis.call('SMEMBERS', name)
end
