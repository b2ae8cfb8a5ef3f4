-- KEYS: the marker, the index. ARGV: what begins the names of the entries.
-- Answers the marker, then for each entry its name, its value and its mark, all of one moment.
local answer = {text(KEYS[1])}
for _, name in ipairs(members(KEYS[2])) do
  local _, held = stands(ARGV[1] .. name)
  if held and held[1] and marked(held) then
    local entry = {name, held[1]}
    for f = 4, #fields do entry[f - 1] = held[f] or '' end
    answer[#answer + 1] = entry
  end
end
return answer
