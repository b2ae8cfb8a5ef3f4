-- KEYS: the marker, the index. ARGV: what begins the names of the entries, the field of the value, the fields
-- of the mark. Answers the marker, then for each entry its name, its value and its mark, all of one moment.
local prefix = table.remove(ARGV, 1)
local answer = {text(KEYS[1])}
for _, name in ipairs(members(KEYS[2])) do
  local held = redis.pcall('HMGET', prefix .. name, unpack(ARGV)) -- an error for what is no hash
  if held[1] then
    for i = 2, #ARGV do held[i] = held[i] or '' end
    answer[#answer + 1] = {name, held}
  end
end
return answer
