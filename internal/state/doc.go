// Package state keeps what must survive a restart: the ratchet (the last accepted revision), when each
// commit was first seen, what each namespace was last given and what holds it, the inventory of what
// this daemon put into each target, and the intents of passes that have not yet ended.
//
// Every record is authenticated with a key that is not in the file. A record that fails is an error:
// lost state is never a fresh start.
package state
