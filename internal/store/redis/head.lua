-- KEYS: the marker, the index. Answers the marker and the names in the index. It is not declared as reading
-- only: so a replica, which may lag behind, refuses it.
return {text(KEYS[1]), members(KEYS[2])}
