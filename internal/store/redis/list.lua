-- KEYS: the marker, the index, entries. ARGV: the names of the entries in the index.
-- Answers the marker, then for each entry its token and, if it bears a mark, whether the mark speaks of
-- another value and the mark. It is not declared as reading only: so a replica, which may lag behind,
-- refuses it.
local answer = {text(KEYS[1])}
local known = {}
for _, name in ipairs(members(KEYS[2])) do known[name] = true end
for i = 3, #KEYS do
  local token, held = stands(KEYS[i])
  local entry = {token}
  if marked(held) then
    local stale = held[CONTENT] ~= content(held[1]) or not held[1] or not known[ARGV[i - 2]]
    entry[2] = stale and '1' or '0'
    for f = 4, #fields do entry[f - 1] = held[f] or '' end
  end
  answer[i - 1] = entry
end
return answer
